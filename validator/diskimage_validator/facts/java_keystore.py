"""Java's keystores: JKS and JCEKS (a reader of their trusted certificates), PKCS #12 (through ``cryptography``).

JKS, as sun.security.provider.JavaKeyStore writes it: magic, version, number of entries; an entry is a tag (1 key,
2 trusted certificate, 3 secret key), an alias, a time, and its content; a digest under the password closes the file.
All numbers are big-endian. Certificates are not encrypted, so that no password is needed to read them.
"""

import struct
from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from diskimage_validator import der
from diskimage_validator.certificates import MAX_CERTIFICATES, Unparsed
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.ca_content import TRUSTED, Content

JKS: Final = 0xFEEDFEED
JCEKS: Final = 0xCECECECE
MAX_WORK: Final = 5_000_000
"""Rounds of key derivation that a PKCS #12 file may ask for in all. Java's own stores ask for 20,000."""
MAX_DEPTH: Final = 24
MAX_ELEMENTS: Final = 500_000
PASSWORDS: Final = (b"changeit", None, b"changeme")
"""Java's well-known password of cacerts, none at all (since Java 18), and that of old systems."""
_KEY, _CERTIFICATE = 1, 2


def parse_keystore(data: bytes) -> Content:
    """Return what a keystore of either kind holds. Raises FactError if it is none or cannot be opened."""
    return parse_jks(data) if is_jks(data) else parse_pkcs12(data)


def is_jks(data: bytes) -> bool:
    """Whether ``data`` begins as JKS or JCEKS does."""
    return len(data) >= 4 and struct.unpack(">I", data[:4])[0] in (JKS, JCEKS)


def parse_jks(data: bytes) -> Content:
    """Return the trusted certificates of a JKS or JCEKS keystore, and where it has private keys.

    What is damaged ends the list, because entries have no other bounds than their own lengths; the reason is then the
    last of ``unparsed``. Raises FactError if it is no keystore.
    """
    if not is_jks(data):
        raise FactError("no Java keystore")
    reader = _Reader(data)
    content = Content()
    try:
        reader.number(">I")
        if (version := reader.number(">I")) not in (1, 2):
            raise FactError(f"a Java keystore of version {version}, known are 1 and 2")
        for index in range(1, reader.number(">I") + 1):
            if index > MAX_CERTIFICATES:
                content.unparsed.append(Unparsed(index, f"more than {MAX_CERTIFICATES} entries: the rest was not read"))
                break
            _entry(reader, version, index, content)
    except EOFError:
        content.unparsed.append(Unparsed(len(content.certificates) + 1, "the keystore is cut off"))
    except ValueError as error:
        content.unparsed.append(Unparsed(len(content.certificates) + 1, str(error)))
    return content


class _TooMuchError(Exception):
    """A file is too large or too deep to be judged."""


class _Reader:
    """Takes numbers and bytes from the front of ``data``. Raises EOFError at its end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def number(self, form: str) -> int:
        (number,) = struct.unpack(form, self.bytes(struct.calcsize(form)))
        return int(number)

    def bytes(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise EOFError
        part = self._data[self._position : end]
        self._position = end
        return part


def _entry(reader: _Reader, version: int, index: int, content: Content) -> None:
    tag = reader.number(">I")
    reader.bytes(reader.number(">H"))  # alias
    reader.number(">Q")  # time
    if tag == _CERTIFICATE:
        content.certificates.append((TRUSTED, _certificate(reader, version)))
    elif tag == _KEY:
        reader.bytes(reader.number(">I"))
        content.keys.append((0, f"private key, entry {index} of a Java keystore"))
        for _ in range(reader.number(">I")):
            _certificate(reader, version)  # the key's own chain makes nobody trusted
    else:  # a secret key is a serialised Java object without a length
        raise ValueError(f"entry {index} is of the kind {tag}, which cannot be read: neither can what follows")


def _certificate(reader: _Reader, version: int) -> bytes:
    if version == 2:
        reader.bytes(reader.number(">H"))  # its type, "X.509"
    return reader.bytes(reader.number(">I"))


def parse_pkcs12(data: bytes) -> Content:
    """Return the certificates of a PKCS #12 keystore, tried with PASSWORDS. Raises FactError."""
    try:
        work = _work(data, 0, iter(range(MAX_ELEMENTS)))
    except (der.DerError, _TooMuchError) as error:
        raise FactError(f"no keystore: {error}") from error
    if work > MAX_WORK:
        raise FactError(f"opening it would take {work} rounds of key derivation, more than {MAX_WORK}")
    for password in PASSWORDS:
        try:
            opened = pkcs12.load_pkcs12(data, password)
        except Exception:  # noqa: S112 - a wrong password and a damaged file look alike; hostile input may do worse
            continue
        content = Content(keys=[(0, "private key in a PKCS #12 file")] if opened.key else [])
        for found in opened.additional_certs:
            content.certificates.append((TRUSTED, found.certificate.public_bytes(Encoding.DER)))
        return content
    raise FactError("the keystore cannot be opened with Java's usual passwords", "or it is damaged")


def _work(data: bytes, depth: int, left: Iterator[int]) -> int:
    """Return the sum over all key derivations in ``data`` of what they cost. Raises DerError, _TooMuchError.

    RFC 7292 and RFC 8018: the numbers that follow a salt, an OCTET STRING, are its rounds, or scrypt's costs, which
    multiply. Octet strings are looked into where they hold DER, as the parts of a PKCS #12 file do.
    """
    if depth > MAX_DEPTH:
        raise _TooMuchError("nested too deeply")
    total, cost = 0, 0
    for element in der.elements(data):
        if next(left, None) is None:
            raise _TooMuchError(f"more than {MAX_ELEMENTS} elements")
        if element.tag == der.INTEGER and cost:
            cost *= max(int.from_bytes(element.content, "big"), 1)
            continue
        total, cost = total + (cost if cost > 1 else 0), 0
        if element.is_constructed:
            total += _work(element.content, depth + 1, left)
        elif element.tag == der.OCTET_STRING:
            cost = 1
            if element.content[:1] == bytes([der.SEQUENCE]):
                try:
                    total += _work(element.content, depth + 1, left)
                except der.DerError:
                    continue  # encrypted bytes that begin like DER
    return total + (cost if cost > 1 else 0)
