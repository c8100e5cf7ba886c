"""Why a chain is not trusted, in words: a verifier only says that it found no way.

The ways from the server's certificate towards an anchor are followed by names and signatures, and the one with the
fewest faults is described, or the one that comes furthest. This explains a refusal; it never makes a verdict.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.extensions import ExtensionTypeVar
from cryptography.x509.oid import ExtendedKeyUsageOID

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.path_search import Way, find_ways, namesakes

MAX_NAMES: Final = 10
RSA_BITS: Final = 2048
EC_BITS: Final = 224
WEAK_HASHES: Final = ("md5", "sha1")
_BAKE: Final = "bake it with the element trusted-ca-bundle"
_RENEW: Final = "renew the endpoint's certificate"
_REPLACE: Final = "replace that CA certificate"


class Client(Enum):
    """Whose habits count where TLS clients differ.

    OPENSSL: a path ends in a self-signed certificate, a wildcard covers no top-level domain (X509_check_host(3)); curl
    and Python do the same. GO (docker, podman, skopeo): any certificate of the store ends a path.
    """

    OPENSSL = "OpenSSL"
    GO = "Go"


@dataclass(frozen=True)
class Fault:
    """One reason: a sentence without its full stop, and what to do."""

    message: str
    hint: str


def explain(
    address: Address,
    chain: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    anchors: Sequence[x509.Certificate],
    now: datetime,
    client: Client,
) -> list[Fault]:
    """Return what is wrong with ``chain`` for a client that knows ``authorities``, of which ``anchors`` may end a path.

    Empty if nothing can be seen. Never raises for what certificates hold.
    """
    try:
        ways = find_ways(chain[0], list(dict.fromkeys([*chain[1:], *authorities])), frozenset(anchors))
        own = list(_leaf_faults(chain[0], address, now, client))
        described = [(way, [*own, *_way_faults(way, now)]) for way in ways]
        complete = [faults for way, faults in described if way.complete]
        if complete:
            return min(complete, key=len)
        way, faults = max(described, key=lambda pair: len(pair[0].certificates))
        return [*faults, _dead_end(way.last, chain, authorities)]
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # an extension or a key that cannot be parsed
        return [Fault(f"a certificate of the path is damaged: {error}", _RENEW)]


def leaf_faults(leaf: x509.Certificate, address: Address, client: Client) -> Iterator[Fault]:
    """Yield what is wrong with name and key of the server's certificate: the verifier is more generous with them.

    Raises ValueError, TypeError or UnsupportedAlgorithm for a damaged certificate.
    """
    if fault := _name_fault(leaf, address, client):
        yield Fault(fault, "renew it with that name as subjectAltName, or use a name that it has")
    if fault := _weak_key(leaf):
        yield Fault(f"the key of the server's certificate {fault}", _RENEW)


def _leaf_faults(leaf: x509.Certificate, address: Address, now: datetime, client: Client) -> Iterator[Fault]:
    if fault := _validity(leaf, now):
        yield Fault(f"the server's certificate {fault}", _RENEW)
    yield from leaf_faults(leaf, address, client)
    usage = _extension(leaf, x509.KeyUsage)
    if usage and not (usage.digital_signature or usage.key_encipherment or usage.key_agreement):
        yield Fault("keyUsage of the server's certificate allows no TLS", _RENEW)
    if not _may_serve(leaf):
        yield Fault("extendedKeyUsage of the server's certificate lacks serverAuth", _RENEW)


def _way_faults(way: Way, now: datetime) -> Iterator[Fault]:
    """Yield the faults of the CAs on a way and of the signatures between its certificates."""
    for certificate in way.certificates[:-1]:
        if fault := _weak_signature(certificate):
            yield Fault(f"the signature of {_name(certificate)} {fault}", "have it signed anew with SHA-256")
    for depth, ca in enumerate(way.certificates[1:]):
        where = "" if depth + 2 < len(way.certificates) or not way.complete else ", which ends the path,"
        for fault in _ca_faults(ca, depth, now):
            yield Fault(f"the CA {_name(ca)}{where} {fault}", _REPLACE)


def _ca_faults(ca: x509.Certificate, depth: int, now: datetime) -> Iterator[str]:
    """Yield ends of sentences; ``depth`` is the number of CAs between this one and the server's certificate."""
    if fault := _validity(ca, now):
        yield fault
    constraints = _extension(ca, x509.BasicConstraints)
    usage = _extension(ca, x509.KeyUsage)
    if ca.version is not x509.Version.v3:
        yield "is of version 1 of X.509, which knows no CAs"
    elif constraints is None:
        yield "is no CA certificate: it has no basicConstraints"
    elif not constraints.ca:
        yield "is no CA certificate: basicConstraints say CA:FALSE"
    elif constraints.path_length is not None and depth > constraints.path_length:
        yield f"allows {constraints.path_length} CAs below it (pathLenConstraint), and there are {depth}"
    if usage and not usage.key_cert_sign:
        yield "may not sign certificates: keyUsage lacks keyCertSign"
    if not _may_serve(ca):
        yield "may not sign for servers: extendedKeyUsage lacks serverAuth"
    if fault := _weak_key(ca):
        yield f"has a key that {fault}"


def _dead_end(
    last: x509.Certificate, chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]
) -> Fault:
    """Return why the path goes no further than ``last``, which is no anchor."""
    issuer = last.issuer.rfc4514_string() or "an issuer without a name"
    if last.subject == last.issuer:
        others = [ca for ca in authorities if ca.subject == last.subject]
        kind = (
            "server's certificate is signed by itself and"
            if last == chain[0]
            else f"path ends in its root {issuer}, which"
        )
        if others:
            return Fault(
                f"the {kind} is not in the bundle; the bundle has another certificate of that name, with another key",
                "bake the CA's current certificate",
            )
        return Fault(f"the {kind} is not in the bundle", _BAKE)
    if last in authorities:
        return Fault(
            f"the path ends at {_name(last)}, which the bundle holds without its issuer {issuer}: "
            "only some clients accept a path that does not end in a root",
            "bake the root as well",
        )
    if namesakes(last, [*chain[1:], *authorities]):
        return Fault(
            f"{_name(last)} was signed by another key than that of the {issuer} that is there",
            "bake the CA's current certificate",
        )
    sent = (
        "only the server's own certificate is presented"
        if len(chain) == 1
        else f"{len(chain)} certificates are presented"
    )
    return Fault(
        f"{issuer}, the issuer of {_name(last)}, is neither presented nor in the bundle ({sent})",
        "if it is an intermediate CA, the endpoint has to send it; if it is the root, bake it with trusted-ca-bundle",
    )


def _validity(certificate: x509.Certificate, now: datetime) -> str:
    if now > certificate.not_valid_after_utc:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < certificate.not_valid_before_utc:
        return f"is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    return ""


def _name_fault(leaf: x509.Certificate, address: Address, client: Client) -> str:
    """Return why the certificate is not for ``address``; a wildcard is one whole label, the leftmost (RFC 9525)."""
    found = _extension(leaf, x509.SubjectAlternativeName)
    if found is None:
        return f"the server's certificate has no subjectAltName, so it is for nobody; its subject is {_name(leaf)}"
    names = [name.rstrip(".").lower() for name in found.get_values_for_type(x509.DNSName)]
    ips = found.get_values_for_type(x509.IPAddress)
    if address.ip is not None:
        if address.ip in ips:
            return ""
        if address.name in names:
            return f"the server's certificate has {address.name} as a DNS name, and not as an IP address"
    elif address.name in names:
        return ""
    elif (wildcard := f"*.{address.name.partition('.')[2]}") in names:
        if wildcard.count(".") > 1 or client is Client.GO:
            return ""
        return f"the server's certificate is for {wildcard}: OpenSSL, curl and Python take no wildcard so short"
    listed = [*names, *map(str, ips)]
    shown = ", ".join(listed[:MAX_NAMES]) + (", ..." if len(listed) > MAX_NAMES else "")
    return f"the server's certificate is for {shown or 'no host'}, and not for {address.name}"


def _may_serve(certificate: x509.Certificate) -> bool:
    usage = _extension(certificate, x509.ExtendedKeyUsage)
    return usage is None or ExtendedKeyUsageOID.SERVER_AUTH in usage


def _weak_key(certificate: x509.Certificate) -> str:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < RSA_BITS:
        return f"is too weak: RSA of {key.key_size} bits"
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < EC_BITS:
        return f"is too weak: an elliptic curve of {key.key_size} bits"
    return "is of a kind that TLS has given up: DSA" if isinstance(key, dsa.DSAPublicKey) else ""


def _weak_signature(certificate: x509.Certificate) -> str:
    """Return what is wrong with a signature that clients verify, which that of a root by itself is not."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "is of an unknown kind"
    name = algorithm.name if algorithm else ""
    return f"is too weak: {name.upper()}" if name in WEAK_HASHES else ""


def _extension(certificate: x509.Certificate, kind: type[ExtensionTypeVar]) -> ExtensionTypeVar | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a subject"
