"""Kinds of values of a ``factory.yaml``: addresses, nodes, images, ports."""

import ipaddress
import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.engines.ssh.options import SCHEME, Destination
from diskimage_validator.errors import UsageError

DNS_PORT = 53


def _ip(value: Any) -> str:
    try:
        return str(ipaddress.ip_address(value if isinstance(value, str) else ""))
    except ValueError as error:
        raise PydanticCustomError("ip", "an IP address is wanted, as text") from error


def _server(value: Any) -> Address:
    try:
        return parse_address(value if isinstance(value, str) else "")
    except UsageError as error:
        message = "a server is wanted, such as 'db.internal' or 'db.internal:5432'"
        raise PydanticCustomError("server", message) from error


def _resolver(value: Any) -> Address:
    message = "the IP address of a resolver is wanted, such as '192.0.2.53' or '[2001:db8::53]:5353'"
    try:
        address = parse_address(value if isinstance(value, str) else "")
    except UsageError as error:
        raise PydanticCustomError("resolver", message) from error
    if address.ip is None:
        raise PydanticCustomError("resolver", message)
    return Address(address.name, address.port or DNS_PORT)


IpField = Annotated[str, BeforeValidator(_ip), Field(json_schema_extra={"examples": ["192.0.2.10", "2001:db8::10"]})]
ServerField = Annotated[
    Address,
    BeforeValidator(_server),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "HOST[:PORT]", "examples": ["db.internal:5432"]}),
]
ResolverField = Annotated[
    Address,
    BeforeValidator(_resolver),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "description": "ADDRESS[:PORT]", "examples": ["192.0.2.53"]}),
]


def _node(value: Any) -> str:
    if not isinstance(value, str) or not (value == "/" or value.startswith(f"{SCHEME}://")):
        raise PydanticCustomError("node", "a node is wanted, such as 'ssh://zuul@node.internal', or '/' for this host")
    try:
        if value != "/":
            Destination.parse(value)
    except UsageError as error:
        raise PydanticCustomError("node", "{message}", {"message": error.message}) from error
    return value


NodeField = Annotated[str, BeforeValidator(_node), Field(json_schema_extra={"examples": ["ssh://zuul@node.internal"]})]


def _image(value: Any) -> str:
    if not isinstance(value, str) or not _IMAGE.fullmatch(value):
        message = "an image with its registry is wanted, such as 'registry.internal:5000/kolla/nova-api:2026.1'"
        raise PydanticCustomError("image", message)
    return value


_IMAGE: Final = re.compile(
    # Without a dot or a port, the first part would be no host, but a part of a name on a public registry.
    r"(?=[^/]*[.:])[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?"
    r"(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
"""A reference of containers/image (docker/reference/reference.go) that names its registry."""
ImageField = Annotated[str, BeforeValidator(_image), Field(json_schema_extra={"examples": ["registry.internal/a:1"]})]
PlatformField = Annotated[str, Field(pattern=r"^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$", examples=["linux/arm64/v8"])]
PortField = Annotated[int, Field(ge=1, le=65535)]
