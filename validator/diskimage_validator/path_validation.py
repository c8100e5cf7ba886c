"""Whether a TLS client that trusts certain CAs accepts a chain for a name.

The verdict is that of ``cryptography``'s path validation (RFC 5280), under a profile that is as wide as what OpenSSL,
and with it nearly every program of an image, accepts from a server: version 3, a subjectAltName that matches,
basicConstraints CA:TRUE on every CA, keyCertSign and serverAuth where keyUsage and extendedKeyUsage are there, path
lengths and name constraints kept, no SHA-1, RSA of 2048 bits at least. That is wider than the library's own profile,
which follows the CA/Browser Forum: many internal PKIs have no authorityKeyIdentifier, and criticality as it came. But
Python 3.13 and later asks for much of that by default (VERIFY_X509_STRICT), so what that profile says is told, too.

Where clients differ, the habits of ``Client`` count. One habit of OpenSSL is not followed: of two certificates of one
name that a server sends it tries only one, and so may miss a path that is there; a remark says so.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.path_faults import Client, Fault, explain, leaf_faults

_EXTENSIONS: Final = {
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string: "authorityKeyIdentifier",
    ExtensionOID.BASIC_CONSTRAINTS.dotted_string: "basicConstraints",
    ExtensionOID.EXTENDED_KEY_USAGE.dotted_string: "extendedKeyUsage",
    ExtensionOID.KEY_USAGE.dotted_string: "keyUsage",
    ExtensionOID.NAME_CONSTRAINTS.dotted_string: "nameConstraints",
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string: "subjectAltName",
    ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string: "subjectKeyIdentifier",
}
NAME_CONSTRAINTS: Final = "name constraint"
"""What every refusal of the library for name constraints says, and no other."""


@dataclass(frozen=True)
class Verdict:
    """What was found.

    ``path``: subjects from the server's certificate to the anchor, empty unless trusted; ``faults``: why it is not
    trusted; ``strict``: why the library's own, stricter profile refuses a path that is trusted; ``ambiguous``: a name
    that several of the presented CAs bear; ``unknown``: what the library says of a chain that it refuses without a
    fault that we see: then nothing is known.
    """

    path: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    strict: str = ""
    ambiguous: str = ""
    unknown: str = ""

    @property
    def trusted(self) -> bool:
        """Whether a client accepts the chain."""
        return bool(self.path)


def validate_path(
    address: Address,
    chain: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    now: datetime,
    client: Client = Client.OPENSSL,
) -> Verdict:
    """Say whether a client that trusts ``authorities`` accepts ``chain`` for ``address``.

    The server's own certificate comes first in ``chain``. ``now`` is UTC. Never raises for what certificates hold.
    """
    anchors = [ca for ca in authorities if client is Client.GO or ca.subject == ca.issuer]
    ends = frozenset(anchors)
    others = [*chain[1:], *(ca for ca in authorities if ca not in ends)]
    path, refusal = _verify(address, chain[0], others, anchors, now, _compatible())
    faults = (
        _left_out(chain[0], address, client) if path else explain(address, chain, authorities, anchors, now, client)
    )
    if path and not faults:
        strict = _verify(address, chain[0], others, anchors, now, None)[1]
        return Verdict(path=tuple(map(_name, path)), strict=strict, ambiguous=_ambiguous(chain[1:]))
    if not faults and NAME_CONSTRAINTS in refusal:
        faults = [
            Fault(f"the names that a CA of the path is limited to do not fit: {refusal}", "correct the CA's names")
        ]
    return Verdict(faults=tuple(faults), unknown="" if faults else refusal)


def _verify(
    address: Address,
    leaf: x509.Certificate,
    others: list[x509.Certificate],
    anchors: list[x509.Certificate],
    now: datetime,
    profile: tuple[ExtensionPolicy, ExtensionPolicy] | None,
) -> tuple[list[x509.Certificate], str]:
    """Return the path that the library finds, or why it finds none."""
    if not anchors:
        return [], "nothing is trusted"
    builder = PolicyBuilder().store(Store(anchors)).time(now)
    if profile:
        builder = builder.extension_policies(ca_policy=profile[0], ee_policy=profile[1])
    subject = x509.IPAddress(address.ip) if address.ip else x509.DNSName(address.name)
    try:
        return builder.build_server_verifier(subject).verify(leaf, others), ""
    except VerificationError as error:
        return [], _plain(str(error))
    except Exception as error:  # hostile certificates: the library documents no complete list
        return [], f"{type(error).__name__}: {error}"


def _compatible() -> tuple[ExtensionPolicy, ExtensionPolicy]:
    """Return the policies for CAs and for servers under which OpenSSL's clients work; see X509_check_purpose(3)."""
    either = Criticality.AGNOSTIC
    ca = (
        ExtensionPolicy.permit_all()
        .require_present(x509.BasicConstraints, either, _is_ca)
        .may_be_present(x509.KeyUsage, either, _may_sign)
        .may_be_present(x509.ExtendedKeyUsage, either, _may_serve)
    )
    server = (
        ExtensionPolicy.permit_all()
        .require_present(x509.SubjectAlternativeName, either, None)  # the library compares the names itself
        .may_be_present(x509.KeyUsage, either, _may_key)
        .may_be_present(x509.ExtendedKeyUsage, either, _may_serve)
    )
    return ca, server


def _is_ca(_: Policy, __: x509.Certificate, found: x509.BasicConstraints) -> None:
    if not found.ca:
        raise ValueError("basicConstraints say CA:FALSE")


def _may_sign(_: Policy, __: x509.Certificate, found: x509.KeyUsage | None) -> None:
    if found and not found.key_cert_sign:
        raise ValueError("keyUsage lacks keyCertSign")


def _may_key(_: Policy, __: x509.Certificate, found: x509.KeyUsage | None) -> None:
    if found and not (found.digital_signature or found.key_encipherment or found.key_agreement):
        raise ValueError("keyUsage allows no TLS")


def _may_serve(_: Policy, __: x509.Certificate, found: x509.ExtendedKeyUsage | None) -> None:
    if found and ExtendedKeyUsageOID.SERVER_AUTH not in found:
        raise ValueError("extendedKeyUsage lacks serverAuth")


def _plain(text: str) -> str:
    """Return what the library says without Python's forms of names, and with the names of extensions."""
    text = text.removeprefix("validation failed: ").removeprefix("candidates exhausted: ")
    text = re.sub(r" \(encountered processing <Certificate\(subject=<Name\((.*)\)>, \.\.\.\)>\)$", r" (\1)", text)
    return re.sub(r"^invalid extension: ([\d.]+): ", lambda match: f"{_EXTENSIONS.get(match[1], match[1])}: ", text)


def _left_out(leaf: x509.Certificate, address: Address, client: Client) -> list[Fault]:
    """Return what is wrong with a server's certificate that has a path."""
    try:
        return list(leaf_faults(leaf, address, client))
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        return [Fault(f"the key of the server's certificate cannot be read: {error}", "renew it with RSA or P-256")]


def _ambiguous(presented: Sequence[x509.Certificate]) -> str:
    names = [_name(certificate) for certificate in dict.fromkeys(presented)]
    return next((name for name in names if names.count(name) > 1), "")


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "a certificate without a subject"
