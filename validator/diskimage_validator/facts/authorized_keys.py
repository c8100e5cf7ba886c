"""Lines of authorized_keys: sshd(8), "AUTHORIZED_KEYS FILE FORMAT"; RFC 4253 for what is in a key."""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

MAX_LINES: Final = 10_000
_TYPES: Final = re.compile(
    r"(?:sk-)?(?:ssh-(?:rsa|dss|ed25519|ed448|xmss)|ecdsa-sha2-[a-z0-9]+)(?:-cert-v0[01])?(?:@openssh\.com)?"
)
_OPTION: Final = re.compile(r'([A-Za-z0-9-]+)(?:="(?:\\"|[^"])*")?')
_CURVES: Final = {"nistp256": 256, "nistp384": 384, "nistp521": 521}


@dataclass(frozen=True)
class AuthorizedKey:
    """One key. ``bits`` is 0 where the type says it all; ``fingerprint`` as ``ssh-keygen -l`` prints it.

    ``options`` are names only: a command may hold anything.
    """

    type: str
    bits: int
    fingerprint: str
    comment: str
    options: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class BadKeyLine:
    """A line that sshd passes over."""

    line: int
    reason: str


def parse_authorized_keys(data: bytes) -> Iterator[AuthorizedKey | BadKeyLine]:
    """Yield what every line holds. Raises FactError if there are too many."""
    for number, raw in enumerate(decode(data).split("\n"), 1):
        if number > MAX_LINES:
            raise FactError(f"more than {MAX_LINES} lines of authorized keys")
        line = raw.strip()
        if line and not line.startswith("#"):
            try:
                yield _parse_line(line, number)
            except ValueError as error:
                yield BadKeyLine(number, str(error))


def _parse_line(line: str, number: int) -> AuthorizedKey:
    options: list[str] = []
    word, _, rest = line.partition(" ")
    if not _TYPES.fullmatch(word):
        options, line = _options(line)
        word, _, rest = line.partition(" ")
    if not _TYPES.fullmatch(word):
        raise ValueError("it has no key of a known type")
    encoded, _, comment = rest.strip().partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("its key is no base64") from error
    fields = _fields(blob)
    if not fields or fields[0] != word.encode():
        raise ValueError(f"what is in the key is no {word}")
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return AuthorizedKey(word, _bits(word, fields), f"SHA256:{digest}", comment.strip(), tuple(options), number)


def _options(line: str) -> tuple[list[str], str]:
    """Return the names of the options in front of a key, in lower case, and what follows them."""
    names: list[str] = []
    position = 0
    while match := _OPTION.match(line, position):
        names.append(match[1].lower())
        position = match.end()
        if line[position : position + 1] != ",":
            return names, line[position:].strip()
        position += 1
    raise ValueError("its options cannot be parsed")


def _fields(blob: bytes) -> list[bytes]:
    """Return the strings of a key: RFC 4251, section 5. Raises ValueError if one reaches beyond the end."""
    fields: list[bytes] = []
    while blob:
        if len(blob) < 4:
            raise ValueError("its key is damaged")
        (size,) = struct.unpack_from(">I", blob)
        if size > len(blob) - 4:
            raise ValueError("its key is damaged")
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


def _bits(kind: str, fields: list[bytes]) -> int:
    """Return the size of a key: the modulus of RSA (e, n), the prime of DSA (p, ...), the curve's of ECDSA."""
    if kind == "ssh-rsa" and len(fields) >= 3:
        return int.from_bytes(fields[2], "big").bit_length()
    if kind == "ssh-dss" and len(fields) >= 2:
        return int.from_bytes(fields[1], "big").bit_length()
    return next((bits for curve, bits in _CURVES.items() if curve in kind), 0)
