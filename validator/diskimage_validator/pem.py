"""Blocks of PEM text (RFC 7468), split as OpenSSL splits them: line by line, with any text between the blocks.

``cryptography`` parses a PEM file as a whole or not at all; a trust store of 150 certificates must not become
unreadable because of one of them. Splitting costs memory for one block at a time, whatever the file holds.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator
from typing import Final

from diskimage_validator.frozen import dataclass

MAX_BLOCK: Final = 128 * 1024
"""Bytes between BEGIN and END. The largest certificates in use have a tenth of it."""
MAX_KEYS: Final = 100

_BEGIN: Final = re.compile(rb"^-----BEGIN ([A-Z0-9 ]{1,40})-----[ \t\r]*$", re.MULTILINE)
_DASHES: Final = re.compile(rb"^-----.*$", re.MULTILINE)
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{0,40}PRIVATE KEY)-----")


@dataclass(frozen=True)
class Block:
    """One block: its label, the line of its BEGIN from 1, and its DER form, or why there is none (``fault``)."""

    label: str
    line: int
    der: bytes = b""
    fault: str = ""


def blocks(data: bytes, labels: Collection[bytes]) -> Iterator[Block]:
    """Yield the blocks of ``data`` that have one of these labels. Never raises for bad input."""
    position, line = 0, 1
    while begin := _BEGIN.search(data, position):
        line += data.count(b"\n", position, begin.start())
        position = begin.start()
        end = _DASHES.search(data, begin.end())
        if begin[1] in labels:
            yield _block(data, begin, end, line)
            # As in OpenSSL, the line that ends a block is used up, even if it is damaged.
            following = end.end() if end else len(data)
        else:
            following = begin.end()
        line += data.count(b"\n", position, following)
        position = following


def private_keys(data: bytes) -> list[tuple[int, str]]:
    """Return line and label of every private key in ``data``, ``MAX_KEYS`` of them at most."""
    found: list[tuple[int, str]] = []
    position, line = 0, 1
    for key in _KEY.finditer(data):
        line += data.count(b"\n", position, key.start())
        position = key.start()
        found.append((line, key[1].decode().strip()))
        if len(found) == MAX_KEYS:
            break
    return found


def _block(data: bytes, begin: re.Match[bytes], end: re.Match[bytes] | None, line: int) -> Block:
    label = begin[1].decode()
    if end is None:
        return Block(label, line, fault="it has no END line")
    if end[0].rstrip() != b"-----END %s-----" % begin[1]:
        return Block(label, line, fault="its END line is damaged")
    if end.start() - begin.end() > MAX_BLOCK:
        return Block(label, line, fault=f"it is larger than {MAX_BLOCK // 1024} KiB")
    body = b"".join(data[begin.end() : end.start()].split())
    try:
        return Block(label, line, base64.b64decode(body, validate=True))
    except binascii.Error:
        return Block(label, line, fault="it is no valid base64")
