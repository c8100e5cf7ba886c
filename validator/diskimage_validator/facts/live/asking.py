"""Asking a running system with its own tools."""

import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable

TIMEOUT: Final = 30.0
NOT_FOUND: Final = 127
_FIRST: Final = 'for tool do command -v "$tool" >/dev/null && echo "$tool" && exit; done'


@dataclass(frozen=True)
class Asked:
    """What the policy asks a running system to connect to: with TLS, at all, and to push an image to."""

    tls: tuple[Address, ...] = ()
    egress: tuple[Address, ...] = ()
    registry: Address | None = None


def ask(engine: Engine, command: Sequence[str], *, timeout: float = TIMEOUT, as_root: bool = False) -> str:
    """Return what ``command`` prints. Raises FactError if it ends with a failure."""
    done = engine.run(command, timeout=timeout, as_root=as_root)
    if done.status != 0:
        raise FactError(
            f"{command[0]} on the node: {last_line(done.stderr) or f'exit status {done.status}'}",
            f"try it there: {shlex.join(command)}",
        )
    return done.stdout


def first_tool(engine: Engine, names: Iterable[str]) -> str:
    """Return the first of ``names`` that is a command on the node, empty if none is."""
    return engine.run(["sh", "-c", _FIRST, "sh", *names], timeout=TIMEOUT).stdout.strip()


def last_line(text: str) -> str:
    """Return the last line that says something, fit for a report."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return printable(lines[-1], 300) if lines else ""
