"""Rules about TLS endpoints that the image has to trust."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from diskimage_validator.consumers import Verifier
from diskimage_validator.endpoints import check_name
from diskimage_validator.errors import UsageError
from diskimage_validator.rules.base import Model, NonEmpty


def _host(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "a host name or an IP address is wanted, as text")
    try:
        return check_name(value)
    except UsageError as error:
        raise PydanticCustomError("host", "{message}", {"message": error.message}) from error


HostField = Annotated[str, BeforeValidator(_host), Field(json_schema_extra={"examples": ["registry.internal"]})]


class EndpointRule(Model):
    """An endpoint that has to be trusted.

    ``name``: as clients call it, a host name or an IP address; ``port``: only for a registry's own CAs (``certs.d``);
    ``chain``: PEM file with what it presents, its own certificate first, relative to the policy; ``consumers``: who has
    to trust it; ``strict``: also by the strict reading of RFC 5280, as Python 3.13 and later does.
    """

    name: HostField
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    chain: NonEmpty
    consumers: Annotated[list[Verifier], Field(min_length=1)] = ["system"]
    strict: bool = False
