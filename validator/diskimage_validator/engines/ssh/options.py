"""Which node, and how to get there. Nothing here needs the SSH library, so that others start without it."""

from pathlib import Path
from typing import Final, Self

from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass

SCHEME: Final = "ssh"
FORM: Final = "ssh://USER@HOST:PORT, where user and port may be left out"
DEFAULT_TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Destination:
    """One SSH server. Without ``user`` or ``port`` those of ssh_config(5) count, or the own name and 22."""

    host: str
    port: int | None = None
    user: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what ``ssh://user@host:port`` or ``user@host:port`` says. Raises UsageError if it is neither.

        A password is refused: the command line of a process is no secret (proc(5), cmdline).
        """
        from urllib.parse import unquote, urlsplit

        scheme, separator, rest = text.partition("://")
        rest = rest if separator else text
        shown = rest.rpartition("@")[2]
        try:
            parts = urlsplit(f"//{rest}")
            port, host = parts.port, parts.hostname
        except ValueError as error:
            raise UsageError(f"{shown}: {error}", FORM) from error
        if parts.password is not None:
            raise UsageError(f"{shown}: a password does not belong on the command line", "use a key or an agent")
        wrong = (separator and scheme != SCHEME) or parts.path.strip("/") or parts.query or parts.fragment
        if wrong or not host or not host.isprintable() or " " in host or parts.username == "":
            raise UsageError(f"{shown}: no SSH server", FORM)
        return cls(host, port, unquote(parts.username) if parts.username else None)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@" * (self.user is not None) + host + f":{self.port}" * (self.port is not None)


@dataclass(frozen=True)
class SshOptions:
    """How to log in to a node.

    ``key``: the only private key to try (an agent may hold it), on jump hosts as well. ``jump``: hosts to go through,
    ``user@host:port``, the first one first, separated by commas; None for ssh_config's ``ProxyJump``. ``config``: an
    ssh_config(5), None for the user's, or ``none``. ``known_hosts``: files to use instead of the user's and the
    system's. ``host_keys``: keys that are known already, each ``TYPE BASE64`` or ``SHA256:FINGERPRINT``, with the name
    of a jump host in front if it is that one's. ``timeout``: seconds for connecting, for logging in, and for any
    answer. ``sudo``: whether ``sudo -n`` may be used for what the account itself may not read.
    """

    key: Path | None = None
    jump: str | None = None
    config: str | None = None
    known_hosts: tuple[Path, ...] = ()
    host_keys: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    sudo: bool = True
