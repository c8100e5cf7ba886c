"""As much of DER (X.690) as is needed where ``cryptography`` has no words: reading one element after another.

Every length is checked against what is there, so that bad input ends in a DerError and never in a wrong slice.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

INTEGER: Final = 0x02
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
SET: Final = 0x31
_CONSTRUCTED: Final = 0x20


class DerError(ValueError):
    """The bytes are no DER."""


class Element(NamedTuple):
    """One element: its tag (a single byte), its content, and how many bytes it takes with its header."""

    tag: int
    content: bytes
    size: int

    @property
    def is_constructed(self) -> bool:
        """Whether the content is made of elements."""
        return bool(self.tag & _CONSTRUCTED)


def first(data: bytes, position: int = 0) -> Element:
    """Return the element that begins at ``position``. Raises DerError if there is none."""
    if len(data) - position < 2:
        raise DerError("an element is cut off")
    tag, length, header = data[position], data[position + 1], 2
    if tag & 0x1F == 0x1F:
        raise DerError("a tag of several bytes")
    if length >= 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or len(data) - position < 2 + count:
            raise DerError("a length that is not DER")
        length, header = int.from_bytes(data[position + 2 : position + 2 + count], "big"), 2 + count
    if position + header + length > len(data):
        raise DerError("an element is cut off")
    return Element(tag, data[position + header : position + header + length], header + length)


def elements(data: bytes) -> Iterator[Element]:
    """Yield the elements that ``data`` is made of, one after the other. Raises DerError."""
    position = 0
    while position < len(data):
        element = first(data, position)
        yield element
        position += element.size


def encode(tag: int, content: bytes) -> bytes:
    """Return the element of that tag and content."""
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content
