"""The CAs of UEFI firmware for HTTPS boot, ``edk2/cacerts.bin``: signature lists of the UEFI specification (32.4.1).

A list is a GUID of its kind, its size, the size of a header, the size of each entry (little-endian); an entry is the
GUID of its owner and, for X.509, a certificate in DER form. p11-kit's trust/extract-edk2.c writes one list for each.
"""

import struct
import uuid
from typing import Final

from diskimage_validator.certificates import MAX_CERTIFICATES, Unparsed
from diskimage_validator.facts.ca_content import TRUSTED, Content

X509: Final = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le
_LIST: Final = struct.Struct("<16sIII")
_OWNER: Final = 16


def parse_edk2(data: bytes) -> Content:
    """Return the certificates of all signature lists. Never raises: what is damaged ends the list, with a reason."""
    content = Content()
    position = 0
    while position < len(data):
        index = len(content.certificates) + 1
        if index > MAX_CERTIFICATES:
            content.unparsed.append(Unparsed(index, f"more than {MAX_CERTIFICATES} entries: the rest was not read"))
            break
        if len(data) - position < _LIST.size:
            content.unparsed.append(Unparsed(index, "a signature list is cut off"))
            break
        kind, size, header, entry = _LIST.unpack_from(data, position)
        first, end = position + _LIST.size + header, position + size
        if not _LIST.size + header <= size <= len(data) - position or (end > first and entry <= _OWNER):
            content.unparsed.append(Unparsed(index, "a signature list has wrong sizes"))
            break
        if kind == X509:
            starts = range(first, end - entry + 1, entry) if end > first else range(0)
            room = MAX_CERTIFICATES - len(content.certificates)
            content.certificates += [(TRUSTED, data[start + _OWNER : start + entry]) for start in starts[:room]]
            if len(starts) > room:
                position = first  # so that the limit is told above
                continue
        position = end
    return content
