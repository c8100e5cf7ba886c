"""Rules about units and about how the image boots."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from diskimage_validator.rules.base import ALTERNATIVES, Model

_UNIT: Final = re.compile(r"[A-Za-z0-9:_.\\@-]+\.(service|socket|target|mount|automount|swap|timer|path|slice|scope)")


def _units(value: Any) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split("|")) if isinstance(value, str) else ("",)
    for name in names:
        if not _UNIT.fullmatch(name):
            wanted = "a unit with its type, such as 'ssh.service | sshd.service', is wanted"
            raise PydanticCustomError("units", "{wanted}", {"wanted": wanted})
    return names


_SCHEMA: Final = {
    "type": "string",
    "description": "a unit, or alternatives",
    "examples": ["ssh.service | sshd.service"],
}
UnitsField = Annotated[tuple[str, ...], BeforeValidator(_units), ALTERNATIVES, WithJsonSchema(_SCHEMA)]


def _consoles(value: Any) -> tuple[str, ...]:
    names = tuple(part.strip() for part in value.split("|")) if isinstance(value, str) else ("",)
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9]+", name):
            wanted = "a console without options, such as 'ttyS0 | ttyAMA0', is wanted"
            raise PydanticCustomError("console", "{wanted}", {"wanted": wanted})
    return names


ConsoleField = Annotated[
    tuple[str, ...],
    BeforeValidator(_consoles),
    ALTERNATIVES,
    WithJsonSchema({"type": "string", "description": "a console, or alternatives", "examples": ["ttyS0 | ttyAMA0"]}),
]


class ServiceRules(Model):
    """What becomes of units at boot. Alternatives serve distributions that name a unit differently."""

    enabled: list[UnitsField] = []
    """Units that the node has to start on its own."""

    disabled: list[UnitsField] = []
    """Units that may be there, but nothing may start them at boot. All of the alternatives."""

    masked: list[UnitsField] = []
    """Units that nothing can start. All of the alternatives that there are; a unit that is not there needs no mask."""

    absent: list[UnitsField] = []
    """Units that must not be there at all. All of the alternatives."""

    default_target: UnitsField | None = None
    """What the node has to boot into; any of the alternatives."""


class BootRules(Model):
    """What the image has to be able to do to come up."""

    check: bool = False
    """Whether kernel, initial RAM disk, boot loader and fstab have to be there and agree."""

    console: list[ConsoleField] = []
    """Devices that the kernel has to have as consoles; alternatives serve other machines: ``ttyS0 | ttyAMA0``."""
