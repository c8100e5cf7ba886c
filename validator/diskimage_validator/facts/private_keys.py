"""Private keys, recognised by their content: every common text form, and GnuPG's and the binary form of PKCS#8.

Formats: RFC 7468 and RFC 1421 (PEM), OpenSSH's PROTOCOL.key, RFC 9580 (OpenPGP), PuTTY's appendix C, SSH.com's secure
shell format, GnuPG's agent/keyformat.txt. Keystores (PKCS#12, Java) are not recognised: without their password nobody
can tell one with a key from one with certificates only.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.serialization import load_der_private_key

from diskimage_validator.frozen import dataclass

MAX_DER: Final = 16 * 1024
MAX_KEYS: Final = 100
_BEGIN: Final = re.compile(
    rb"^[ \t]*-----BEGIN ((?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?)-----[ \t\r]*$"
    rb"|^[ \t]*---- BEGIN (SSH2 ENCRYPTED PRIVATE KEY) ----[ \t\r]*$"
    rb"|^(PuTTY-User-Key-File-[0-9]): \S",
    re.MULTILINE,
)
_MARKS: Final = (b"PRIVATE KEY", b"PuTTY-User-Key-File-")
"""One of them is in all that ``_BEGIN`` finds."""
_BODY: Final = re.compile(rb"[A-Za-z0-9+/=]{32}")
_HEAD: Final = 4096
"""Bytes after the first line in which a key has to begin and to say whether it is encrypted."""
_OPENSSH_MAGIC: Final = b"openssh-key-v1\0"
_GNUPG_MARK: Final = b"private-key"
"""It is in all that ``_GNUPG`` finds; most files have neither this nor one of _MARKS."""
_GNUPG: Final = re.compile(rb"^(?:Key: )?\((?:\d{1,3}:)?(protected-|shadowed-)?private-key\b", re.MULTILINE)


@dataclass(frozen=True)
class PrivateKey:
    """A private key in a file. ``form`` names the format; ``encrypted`` is None where it does not tell easily."""

    form: str
    encrypted: bool | None
    line: int


def find_private_keys(data: bytes) -> tuple[PrivateKey, ...]:
    """Return the private keys in ``data``, at most MAX_KEYS. Never raises for bad input."""
    if data.startswith(b"\x30"):
        found = _der(data)
        return (found,) if found else ()
    head = data[:_HEAD]
    if _GNUPG_MARK in head and (match := _GNUPG.search(head)):
        return (PrivateKey("GnuPG", match[1] is not None, data.count(b"\n", 0, match.start()) + 1),)
    if not any(mark in data for mark in _MARKS):
        return ()
    keys: list[PrivateKey] = []
    for key in _text(data):
        keys.append(key)
        if len(keys) == MAX_KEYS:
            break
    return tuple(keys)


def _text(data: bytes) -> Iterator[PrivateKey]:
    line, last = 1, 0
    for match in _BEGIN.finditer(data):
        line, last = line + data.count(b"\n", last, match.start()), match.start()
        head = data[match.end() : match.end() + _HEAD]
        body = head.partition(b"-----END")[0]
        if not _BODY.search(body):  # prose about keys, or a placeholder
            continue
        if match[1]:
            yield PrivateKey(*_pem(match[1].decode(), body), line)
        elif match[2]:
            yield PrivateKey("ssh.com", None, line)
        else:
            encryption = re.search(rb"^Encryption: *(\S+)", body, re.MULTILINE)
            yield PrivateKey("PuTTY", None if encryption is None else encryption[1] != b"none", line)


def _pem(label: str, body: bytes) -> tuple[str, bool | None]:
    """Return the name of the format that PEM calls ``label``, and whether the key is encrypted."""
    if label == "OPENSSH PRIVATE KEY":
        return "OpenSSH", _openssh_encrypted(body)
    if label == "PGP PRIVATE KEY BLOCK":
        return "OpenPGP", None
    if label == "ENCRYPTED PRIVATE KEY":
        return "PKCS#8", True
    form = "PKCS#8" if label == "PRIVATE KEY" else f"PEM ({label.removesuffix(' PRIVATE KEY')})"
    return form, b"ENCRYPTED" in body


def _openssh_encrypted(body: bytes) -> bool | None:
    """Return whether the cipher that PROTOCOL.key has right after the magic is another one than ``none``."""
    text = b"".join(body.split())[:64]
    try:
        start = base64.b64decode(text[: len(text) // 4 * 4])
    except binascii.Error:
        return None
    if not start.startswith(_OPENSSH_MAGIC):
        return None
    return start[len(_OPENSSH_MAGIC) :][:8] != b"\0\0\0\x04none"


def _der(data: bytes) -> PrivateKey | None:
    if len(data) > MAX_DER:
        return None
    try:
        load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # what cryptography raises if a password is needed
        return PrivateKey("DER", encrypted=True, line=0)
    except Exception:
        return None
    return PrivateKey("DER", encrypted=False, line=0)
