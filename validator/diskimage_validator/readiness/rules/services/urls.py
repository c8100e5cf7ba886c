"""URLs of services that are asked over TLS only."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from diskimage_validator.readiness.rules.services.web_urls import checked_url

_QUERY: Final = re.compile(r"\?[!-~]*", re.ASCII)
_PAGE: Final = "https://logs.internal/path"


def _folder(value: Any) -> str:
    return checked_url(value, ("https",), "https://logs.internal")


def _page(value: Any) -> str:
    """Return a URL as it is written: a slash at its end, and a query, make another page of it."""
    bare, mark, query = value.partition("?") if isinstance(value, str) else ("", "", "")
    if "#" in query or (mark and not _QUERY.fullmatch(mark + query)):
        raise PydanticCustomError("url", "a URL is wanted, such as '{example}'", {"example": _PAGE})
    checked_url(bare, ("https",), _PAGE)
    return value if bare.count("/") > 2 else f"{bare}/{mark}{query}"


FolderUrlField = Annotated[
    str, BeforeValidator(_folder), Field(json_schema_extra={"examples": ["https://s3.internal"]})
]
"""What paths are appended to: without a slash at its end."""
PageUrlField = Annotated[str, BeforeValidator(_page), Field(json_schema_extra={"examples": ["https://logs.internal/"]})]
"""One page."""
