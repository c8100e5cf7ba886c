"""From a destination to the servers on the way to it, with all that ssh_config(5) says of each.

Understood: HostName, HostKeyAlias, Port, User, IdentityFile, IdentitiesOnly, ProxyJump, UserKnownHostsFile and
GlobalKnownHostsFile, within Host and Match. ``StrictHostKeyChecking no`` is not: host keys are always checked.
"""

import getpass
import re
from pathlib import Path
from typing import Final

from paramiko import SSHConfig
from paramiko.config import SSHConfigDict
from paramiko.ssh_exception import ConfigParseError, CouldNotCanonicalize

from diskimage_validator.engines.ssh.options import Destination, SshOptions
from diskimage_validator.errors import UsageError
from diskimage_validator.frozen import dataclass

USER_CONFIG: Final = Path("~/.ssh/config")
KNOWN_HOSTS: Final = (  # the defaults of UserKnownHostsFile and GlobalKnownHostsFile
    "~/.ssh/known_hosts",
    "~/.ssh/known_hosts2",
    "/etc/ssh/ssh_known_hosts",
    "/etc/ssh/ssh_known_hosts2",
)
IDENTITIES: Final = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")
MAX_HOPS: Final = 8
NO_CONFIG: Final = "none"
PORT: Final = 22


@dataclass(frozen=True)
class Hop:
    """One server on the way. ``name`` is what known_hosts calls it; ``alias`` what the user called it."""

    alias: str
    host: str
    port: int
    user: str
    name: str
    identities: tuple[Path, ...]
    identities_only: bool
    known_hosts: tuple[Path, ...]

    def __str__(self) -> str:
        return str(Destination(self.host, self.port, self.user))


def find_hops(destination: Destination, options: SshOptions) -> tuple[Hop, ...]:
    """Return the servers on the way to ``destination``, which is the last. Raises UsageError for a bad ssh_config."""
    config = _load(options.config)
    try:
        return tuple(_hops(destination, options.jump, options, config))
    # What paramiko raises for what it cannot use; Match exec needs a library that is not installed.
    except (ConfigParseError, CouldNotCanonicalize, ImportError, ValueError, KeyError) as error:
        raise UsageError(f"ssh_config: {error}", "--ssh-config none does without") from error


def _load(path: str | None) -> SSHConfig:
    if path == NO_CONFIG or (path is None and not USER_CONFIG.expanduser().is_file()):
        return SSHConfig()
    file = USER_CONFIG if path is None else Path(path)
    try:
        text = file.expanduser().read_text(encoding="utf-8")
        if re.search(r"^\s*Include\b", text, re.MULTILINE | re.IGNORECASE):
            raise UsageError(f"{file}: Include is not understood", "name a file without it with --ssh-config, or none")
        return SSHConfig.from_text(text)
    except (OSError, UnicodeDecodeError, ConfigParseError) as error:
        raise UsageError(f"cannot read {file}: {error}") from error


def _hops(
    destination: Destination, jump: str | None, options: SshOptions, config: SSHConfig, depth: int = 0
) -> list[Hop]:
    if depth == MAX_HOPS:
        raise UsageError(f"{destination}: more than {MAX_HOPS} jump hosts", "does ProxyJump go in circles?")
    found = config.lookup(destination.host)
    if jump is None:
        if found.get("proxycommand"):
            raise UsageError(f"{destination.host}: ProxyCommand is not supported", "use ProxyJump, or --ssh-jump")
        jump = found.get("proxyjump", "")
    before: list[Hop] = []
    if jump and jump.lower() != "none":
        earlier, _, last = jump.rpartition(",")
        before = _hops(Destination.parse(last.strip()), earlier or None, options, config, depth + 1)
    return [*before, _hop(destination, found, options)]


def _hop(destination: Destination, found: SSHConfigDict, options: SshOptions) -> Hop:
    host = str(found.get("hostname", destination.host))
    port = destination.port or int(found.get("port", PORT))
    alias = found.get("hostkeyalias")
    identities = [options.key] if options.key else [Path(name) for name in found.get("identityfile", IDENTITIES)]
    named = f"{found.get('userknownhostsfile', '')} {found.get('globalknownhostsfile', '')}".split()
    files = options.known_hosts or [Path(name) for name in named or KNOWN_HOSTS]
    return Hop(
        alias=destination.host,
        host=host,
        port=port,
        user=destination.user or str(found.get("user", "")) or getpass.getuser(),
        name=str(alias) if alias else host if port == PORT else f"[{host}]:{port}",
        identities=tuple(path.expanduser() for path in identities),
        identities_only=options.key is not None or str(found.get("identitiesonly", "")).lower() == "yes",
        known_hosts=tuple(path.expanduser() for path in files),
    )
