"""A service that may be reached, as it is written on the command line."""

import re
from dataclasses import dataclass
from typing import Self

from diskimage_validator.errors import UsageError

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_FORM = re.compile(rf"(?P<name>{_HOST}):(?P<port>\d+)(?:=(?P<host>{_HOST}):(?P<target_port>\d+))?")


@dataclass(frozen=True)
class Service:
    """``name:port`` as the command knows it, and ``target`` (host, port), where the service really is."""

    name: str
    port: int
    target: tuple[str, int]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the service of ``NAME:PORT`` or ``NAME:PORT=HOST:PORT``. Raises UsageError for anything else.

        Without the second part the service is where this host's own resolver says that ``NAME`` is.
        """
        match = _FORM.fullmatch(text)
        if match is None:
            raise UsageError(f"{text!r} is no service", "write NAME:PORT or NAME:PORT=HOST:PORT")
        port = int(match["port"])
        target = (match["host"] or match["name"], int(match["target_port"] or port))
        if not all(0 < number < 1 << 16 for number in (port, target[1])):
            raise UsageError(f"{text!r}: a port is a number from 1 to 65535")
        return cls(match["name"].lower(), port, target)

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"
