"""Logging in with keys: from an agent, or from files. Passwords and passphrases are never asked for."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from paramiko import Agent, PKey, SSHConfig, Transport
from paramiko.auth_strategy import AuthFailure, AuthSource, AuthStrategy, InMemoryPrivateKey
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import SSHException

from diskimage_validator.engines.ssh.hops import Hop
from diskimage_validator.errors import EngineError, UsageError

MAX_KEYS: Final = 20
"""Of an agent; sshd gives up on a client after six (sshd_config(5), MaxAuthTries)."""


def log_in(transport: Transport, hop: Hop, *, stated: bool) -> None:
    """Log in to the server behind ``transport``. ``stated``: the user named the key, so it has to be readable.

    Raises EngineError if it lets nobody in, UsageError for a key file that cannot be used.
    """
    with closing(Agent()) as agent:
        keys = _Keys(hop, agent, stated=stated)
        try:
            keys.authenticate(transport)
        except AuthFailure as error:
            raise EngineError(f"{hop}: {keys.failure(transport)}", keys.hint()) from error
    if not transport.is_authenticated():
        raise EngineError(f"{hop}: more than a key is asked for", "let this account in with a key alone")


class _Keys(AuthStrategy):
    def __init__(self, hop: Hop, agent: Agent, *, stated: bool) -> None:
        super().__init__(SSHConfig())
        self._hop = hop
        self._held = list(agent.get_keys())[:MAX_KEYS]
        self._stated = stated
        self._tried = 0
        self._locked: list[Path] = []

    def get_sources(self) -> Iterator[AuthSource]:
        """Yield the keys in the order in which ssh(1) tries them: the agent's, then those of files."""
        tried: set[bytes] = set()
        for key in self._keys():
            if key.asbytes() not in tried:
                tried.add(key.asbytes())
                self._tried += 1
                yield InMemoryPrivateKey(self._hop.user, key)

    def _keys(self) -> Iterator[PKey]:
        if self._hop.identities_only:
            wanted = {line for path in self._hop.identities if (line := _public(path))}
            yield from (key for key in self._held if key.get_base64() in wanted)
        else:
            yield from self._held
        for path in self._hop.identities:
            if (key := self._load(path)) is not None:
                yield key

    def _load(self, path: Path) -> PKey | None:
        try:
            return PKey.from_path(path)
        except TypeError:  # what cryptography raises if a passphrase is needed
            self._locked.append(path)
        except (OSError, ValueError, SSHException, UnknownKeyType, UnsupportedAlgorithm) as error:
            if self._stated and not _public(path):
                raise UsageError(f"cannot use the key {path}: {getattr(error, 'strerror', None) or error}") from None
        return None

    def failure(self, transport: Transport) -> str:
        """Return what went wrong, in words."""
        if not self._tried:
            return "there is no key to log in with"
        lost = "" if transport.is_active() else ", and the server closed the connection"
        return f"the server takes none of {self._tried} keys{lost}"

    def hint(self) -> str:
        """Return what to do about it."""
        if self._locked:
            return f"{self._locked[0]} has a passphrase: ssh-add it to an agent"
        return "name the key with --ssh-key, or ssh-add it to an agent"


def _public(path: Path) -> str:
    """Return the base64 form of the public key beside ``path`` (or in it), empty if there is none."""
    for file in (path, path.with_name(path.name + ".pub")):
        try:
            words = file.read_text(encoding="utf-8", errors="replace").split()
        except OSError:
            continue
        if len(words) > 1 and words[0].startswith(("ssh-", "ecdsa-", "sk-")):
            return words[1]
    return ""
