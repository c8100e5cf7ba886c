"""URLs of web services: where they are, and nothing that is secret."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import parse_address
from diskimage_validator.errors import UsageError

_URL: Final = re.compile(r"([a-z]+)://(?:([^@/]*)@)?([^/?#@]+)((?:/[!-~]*)?)")


def checked_url(value: Any, schemes: tuple[str, ...], example: str, *, user: bool = False) -> str:
    """Return ``value`` without slashes at its end, if it is a URL of one of ``schemes``; errors are pydantic's.

    It has a host, perhaps a port and a path, with ``user`` perhaps a user, and neither a query nor a password.
    """
    found = _URL.fullmatch(value) if isinstance(value, str) else None
    wrong = PydanticCustomError("url", "a URL is wanted, such as '{example}'", {"example": example})
    if not found or found[1] not in schemes or re.search("[?#]", found[4]):
        raise wrong
    if found[2] is not None and (not user or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", found[2])):
        message = "a URL with a user or a password is no place for secrets: such as '{example}'"
        raise PydanticCustomError("url", message, {"example": example})
    try:
        address = parse_address(found[3])
    except UsageError as error:
        raise wrong from error
    account = f"{found[2]}@" if found[2] else ""
    return f"{found[1]}://{account}{address}{found[4].rstrip('/')}"


def _web_url(value: Any) -> str:
    return checked_url(value, ("https", "http"), "https://zuul.internal")


WebUrlField = Annotated[
    str, BeforeValidator(_web_url), Field(json_schema_extra={"format": "uri", "examples": ["https://zuul.internal"]})
]
