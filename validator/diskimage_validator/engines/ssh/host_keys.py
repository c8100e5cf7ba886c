"""Whether a server is the one it should be: pinned keys and known_hosts (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

An unknown key is never accepted: what it is gets told, together with how to pin it. Certificates of hosts
(``@cert-authority``) are not understood, so they vouch for nothing; a key that is ``@revoked`` is refused.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from paramiko import PKey
from paramiko.hostkeys import HostKeyEntry, HostKeys, InvalidHostKey

from diskimage_validator.engines.ssh.hops import Hop
from diskimage_validator.errors import EngineError, UsageError
from diskimage_validator.frozen import dataclass

_TYPE: Final = re.compile(r"(ssh-|ecdsa-|sk-)[A-Za-z0-9@.-]+")
_PIN: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{20,}=*")
RSA: Final = ("rsa-sha2-512", "rsa-sha2-256")


@dataclass(frozen=True)
class KnownKey:
    """A key that a server may, or (``revoked``) must not have. ``value``: base64 or ``SHA256:...``; ``type`` or "".

    ``names`` are patterns as in known_hosts, none for the destination itself; ``source``: where it is written.
    """

    names: tuple[str, ...]
    type: str
    value: str
    source: str
    revoked: bool = False

    def is_of(self, key: PKey) -> bool:
        """Whether this is ``key``."""
        value = key.fingerprint if self.value.startswith("SHA256:") else key.get_base64()
        return self.type in ("", key.get_name()) and self.value.rstrip("=") == value.rstrip("=")


def parse_pin(text: str) -> KnownKey:
    """Return what --host-key says: ``[NAME] [TYPE] BASE64|SHA256:FINGERPRINT``. Raises UsageError for other text."""
    words = text.split()
    names = (words.pop(0),) if len(words) > 1 and not _TYPE.fullmatch(words[0]) else ()
    kind = words.pop(0) if len(words) > 1 and _TYPE.fullmatch(words[0]) else ""
    value = words[0] if words else ""
    if not (_PIN.fullmatch(value) or (kind and _BASE64.fullmatch(value))):
        raise UsageError(f"--host-key {text!r}: no host key", "'ssh-ed25519 AAAA...' or 'SHA256:...'")
    return KnownKey(names, kind, value, "--host-key")


def known_keys(hop: Hop, pins: Iterable[KnownKey], *, last: bool) -> list[KnownKey]:
    """Return what is known of the keys of ``hop``. Pins go before files; a nameless one is of the ``last`` hop."""
    pinned = [pin for pin in pins if (last if not pin.names else _names(pin, hop.name, hop.alias, hop.host))]
    if pinned:
        return pinned
    entries = [entry for file in hop.known_hosts for entry in _read(file)]
    # As ssh does: without the port, if nothing is known with it.
    named = [entry for entry in entries if _names(entry, hop.name)]
    return named or [entry for entry in entries if _names(entry, hop.host)]


def algorithms(known: Iterable[KnownKey], supported: Iterable[str]) -> list[str]:
    """Return ``supported`` with those first that a known key is for: the server is to show a key that we can judge."""
    types = {entry.type for entry in known if not entry.revoked}
    wanted = {*types, *(RSA if "ssh-rsa" in types else ())}
    return sorted(supported, key=lambda name: name not in wanted)


def verify(hop: Hop, key: PKey, known: Iterable[KnownKey]) -> None:
    """Raise EngineError, with its fingerprint, unless ``key`` is one of the ``known`` keys of ``hop``."""
    shown = f"{key.get_name()} {key.fingerprint}"
    matching = [entry for entry in known if entry.is_of(key)]
    if revoked := [entry for entry in matching if entry.revoked]:
        hint = "whoever has that key may be somebody else: give the node a new one"
        raise EngineError(f"{hop.name}: its host key {shown} is revoked by {revoked[0].source}", hint)
    if matching:
        return
    others = sorted({entry.source for entry in known if not entry.revoked})
    if others:
        raise EngineError(
            f"{hop.name}: its host key is {shown}, which is not what {', '.join(others)} says",
            "somebody may be in between; if the node was really made anew, correct the known key",
        )
    raise EngineError(
        f"{hop.name}: its host key is not known: {shown}",
        f"compare it with what the node says on its console, then pin it: --host-key '{key.fingerprint}', "
        "or add it to known_hosts",
    )


def _names(entry: KnownKey, *names: str) -> bool:
    found = False
    for pattern in entry.names:
        positive = pattern.removeprefix("!")
        if any(_matches(positive, name) for name in names):
            if pattern != positive:
                return False
            found = True
    return found


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith("|1|"):
        try:
            return hmac.compare_digest(HostKeys.hash_host(name, pattern), pattern)
        except (ValueError, AssertionError, IndexError):  # what a damaged line makes it raise
            return False
    # Only * and ? are patterns there; [ is part of [host]:port.
    return fnmatchcase(name.lower(), pattern.lower().replace("[", "[[]"))


def _read(file: Path) -> Iterator[KnownKey]:
    """Yield the keys of a known_hosts file; one that is not there holds none."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), 1):
        marker, _, rest = line.partition(" ") if line.startswith("@") else ("", "", line.strip())
        if not rest or rest.startswith("#") or marker not in ("", "@revoked"):
            continue
        try:
            entry = HostKeyEntry.from_line(" ".join(rest.split()), number)
        except (InvalidHostKey, ValueError):
            continue
        if entry is not None and entry.key is not None and entry.hostnames is not None:
            yield KnownKey(
                tuple(entry.hostnames), entry.key.get_name(), entry.key.get_base64(), f"{file}:{number}", bool(marker)
            )
