"""Rules about a running system: asked of a node or of ``/``, skipped for an image at rest."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.errors import UsageError
from diskimage_validator.rules.base import Model, NonEmpty, SizeField, section


def _address(value: Any) -> Address:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "a name and a port are wanted, such as 'registry.internal:443'")
    try:
        address = parse_address(value)
    except UsageError as error:
        raise PydanticCustomError("address", "{message}", {"message": error.message}) from error
    if address.port is None:
        raise PydanticCustomError("port", "a port is missing, as in 'registry.internal:443'")
    return address


_SCHEMA = WithJsonSchema({"type": "string", "description": "NAME:PORT", "examples": ["registry.internal:443"]})
AddressField = Annotated[Address, BeforeValidator(_address), PlainSerializer(str), _SCHEMA]


class LiveDiskRules(Model):
    """Room for images of containers; sizes in bytes."""

    size: SizeField | None = None
    """The disk that the root file system is on: that of the flavor."""
    free: SizeField | None = None
    """Free space under the storage of containers: more than this."""


class LiveEgressRules(Model):
    """Where TCP connections from the node get to, and where they must not."""

    allowed: list[AddressField] = []
    """These answer."""
    blocked: list[AddressField] = []
    """These do not, though somebody listens there: name real servers beyond the firewall."""


class LiveClockRules(Model):
    """The clock of the node."""

    max_offset: Annotated[float, Field(gt=0)] | None = None
    """Seconds that it may differ from the clock of the host that validates."""
    synchronized: bool = False
    """Something keeps it in step."""


class LiveModuleRules(Model):
    """Modules of the running kernel; ``-`` and ``_`` are the same."""

    required: list[NonEmpty] = []
    """Loaded or built in."""
    forbidden: list[NonEmpty] = []
    """Neither loaded nor built in."""


class LiveUnitRules(Model):
    """Units of systemd."""

    allowed: list[NonEmpty] = []
    """Patterns of units that may have failed, as in fnmatch(3)."""


class LiveRules(Model):
    """What only a running system can tell, all optional."""

    disk: LiveDiskRules = section(LiveDiskRules)
    container_engine: Annotated[list[Literal["podman", "docker"]], Field(min_length=1)] | None = None
    """One of these works."""
    tls: list[AddressField] = []
    """Endpoints whose certificates verify from the node, with its own trust store."""
    egress: LiveEgressRules = section(LiveEgressRules)
    clock: LiveClockRules = section(LiveClockRules)
    modules: LiveModuleRules = section(LiveModuleRules)
    registry: AddressField | None = None
    """An image can be built, pushed there, and found there."""
    min_entropy: Annotated[int, Field(ge=1)] | None = None
    """Bits that the kernel has for random numbers."""
    failed_units: LiveUnitRules | None = None
    """Nothing failed while the node booted, but for what is allowed."""
