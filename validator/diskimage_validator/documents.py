"""JSON documents that come from elsewhere and may have been changed on the way: bounded, strict, of a known form."""

from pathlib import Path
from typing import Annotated, Final, TypeVar

from pydantic import BaseModel, StringConstraints, ValidationError

from diskimage_validator.errors import UsageError
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.json_text import parse_json
from diskimage_validator.printable import printable

MAX_SIZE: Final = 64 * 1024 * 1024
"""Bytes. A report of an image on which every check fails has some megabytes."""

Form = TypeVar("Form", bound=BaseModel)
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A digest, as sha256sum(1) writes it."""


def read_bounded(path: Path, limit: int = MAX_SIZE) -> bytes:
    """Return what is in the file at ``path``. Raises UsageError if it cannot be read or has over ``limit`` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        message = f"cannot read {path}: {getattr(error, 'strerror', None) or error}"
        raise UsageError(message, "is the path right, and may this account read it?") from error
    if len(data) > limit:
        raise UsageError(f"{path} has more than {limit} bytes", "is this the right file?")
    return data


def parse_document(data: bytes, form: type[Form]) -> Form:
    """Return the document that ``data`` is. Raises ValueError with a sentence: no JSON, a key twice, another form."""
    try:
        parsed = parse_json(data.decode())
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except Malformed as error:
        raise ValueError(f"it is not JSON: {error}") from error
    if parsed.duplicates:  # readers differ in which of them they take
        raise ValueError(f"the key {printable(parsed.duplicates[0])} is there twice")
    try:
        return form.model_validate(parsed.data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{printable(where) or 'document'}: {first['msg']}") from error
