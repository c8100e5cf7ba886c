"""URLs of services."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import parse_address
from diskimage_validator.errors import UsageError

_HTTPS: Final = re.compile(r"https://([^/?#@]+)(/[!-~]*)?", re.ASCII)


def _https(value: Any) -> str:
    match = _HTTPS.fullmatch(value) if isinstance(value, str) and "#" not in value else None
    if match is None:
        message = "a URL is wanted, such as 'https://logs.internal/path', without user and fragment"
        raise PydanticCustomError("url", message)
    try:
        parse_address(match[1])
    except UsageError as error:
        raise PydanticCustomError("url", "{message}", {"message": error.message}) from error
    return match[0]


HttpsField = Annotated[str, BeforeValidator(_https), Field(json_schema_extra={"examples": ["https://logs.internal/"]})]
"""A URL whose host a certificate can be for. A password in it is refused: secrets are files."""
