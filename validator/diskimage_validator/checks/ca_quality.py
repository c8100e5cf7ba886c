"""CAs that were added or that the policy names are fit to sign, and cryptographically strong.

Judged are the CAs of the policy and of ``--ca``, local anchors, what the bundle holds besides the distribution's own,
and the CAs of single registries; with ``distribution: true`` the distribution's own as well. Whether a CA is valid
today and says CA:TRUE is told by ca-trusted and ca-anchors.

- keyUsage, if there is one, has to allow keyCertSign;
- an RSA key has at least ``min_rsa_bits`` (2048), an EC key is on one of ``curves``; Ed25519 and Ed448 are fine;
- a certificate that is not self-signed is not signed with MD5 or SHA-1. Nobody verifies a root's own signature;
- one that is not self-signed has its issuer in the generated bundle, or OpenSSL, and with it curl and Python, trusts
  nothing that it signed;
- an issuer that allows no further CA (pathLenConstraint 0) has none below it; with ``min_path_length`` a root allows at
  least so many;
- with ``strict`` a CA has what RFC 5280 demands of it, and what Python checks by default from 3.13 on: a keyUsage, a
  subjectKeyIdentifier, and basicConstraints that are marked critical.

.. rubric:: Example

With ``certificates: {quality: {min_rsa_bits: 3072}}`` a CA with an RSA key of 4096 bits passes.

A CA with a key of 2048 bits fails there, and everywhere one whose keyUsage allows digitalSignature alone.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from diskimage_validator.certificates import Certificate
from diskimage_validator.checks.authorities import Authority, local_authorities
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.certificates import QualityRules

ID: Final = "ca-quality"
TITLE: Final = "Quality of CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("trust", "ca_stores")

_WEAK_HASHES: Final = ("md2", "md4", "md5", "sha1")
_EDWARDS: Final = ("Ed25519", "Ed448")


def asked(policy: Policy) -> bool:
    """Whether the policy says what CAs have to be like."""
    return policy.rules.certificates.quality is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every fault of a CA, or one that it has none."""
    rules = question.rules.certificates.quality or QualityRules()
    trust, stores = known(question.facts.trust), known(question.facts.ca_stores)
    authorities = local_authorities(trust, stores, question.policy)
    if rules.distribution:
        seen = {authority.certificate.sha256 for authority in authorities}
        others = (certificate for certificate in trust.certificates if certificate.sha256 not in seen)
        authorities += [Authority(other, trust.bundle_path or "", reported=True) for other in others]
    if not authorities:
        yield Finding("CAs", Status.SKIP, "no CA was added, and none that the policy names is there")
    issuers = _by_subject(trust)
    for authority in authorities:
        certificate = authority.certificate
        subject, path = str(certificate), authority.path
        faults = [*_faults(certificate, rules), *_chain_faults(certificate, issuers, rules)]
        for message, expected, actual in faults:
            yield Finding(subject, Status.FAIL, message, expected, actual, "have the CA issued anew", path)
        if not faults:
            yield Finding(subject, Status.PASS, f"fit to sign; {describe_key(certificate)}", path=path)


Fault = tuple[str, str, str]
"""Message, expected, actual."""


def _faults(certificate: Certificate, rules: QualityRules) -> Iterator[Fault]:
    if certificate.signs_certificates is False:
        yield "its keyUsage does not allow it to sign certificates", "keyCertSign", "keyUsage without it"
    yield from strength_faults(certificate, rules)
    if rules.strict:
        if certificate.signs_certificates is None:
            yield "it has no keyUsage, which RFC 5280 demands of a CA", "keyUsage with keyCertSign", "none"
        if not certificate.key_id:
            yield "it has no subjectKeyIdentifier, which RFC 5280 demands of a CA", "subjectKeyIdentifier", "none"
        if certificate.is_ca and not certificate.is_constraint_critical:
            yield (
                "its basicConstraints are not marked critical, which RFC 5280 demands of a CA",
                "critical",
                "not critical",
            )


def strength_faults(certificate: Certificate, rules: QualityRules) -> Iterator[Fault]:
    """Yield what is too weak about the key and the signature of a certificate, whether it is a CA's or a server's."""
    yield from _key_faults(certificate, rules)
    if certificate.signature in _WEAK_HASHES and not certificate.self_signed:
        yield f"its signature rests on {certificate.signature.upper()}", "SHA-256 or better", certificate.signature


def _key_faults(certificate: Certificate, rules: QualityRules) -> Iterator[Fault]:
    actual = describe_key(certificate)
    if certificate.key_type == "RSA":
        if certificate.key_bits < rules.min_rsa_bits:
            yield "its RSA key is too small", f"at least {rules.min_rsa_bits} bits", actual
    elif certificate.key_type == "EC":
        if certificate.curve not in rules.curves:
            yield f"its key is on the curve {certificate.curve}", " or ".join(rules.curves), actual
    elif certificate.key_type not in _EDWARDS:
        yield "its key is of a kind that TLS clients do not accept", "RSA, EC, Ed25519 or Ed448", actual


def _chain_faults(
    certificate: Certificate, issuers: Mapping[str, list[Certificate]], rules: QualityRules
) -> Iterator[Fault]:
    if certificate.self_signed:
        length = certificate.path_length
        if rules.min_path_length is not None and length is not None and length < rules.min_path_length:
            expected = f"pathLenConstraint of at least {rules.min_path_length}, or none"
            yield f"it allows {length} CAs below it", expected, str(length)
        return
    above = issuers.get(certificate.issuer, [])
    if not above:
        message = f"it is no root, and its issuer {certificate.issuer} is not in the generated bundle"
        yield message, "a root, or its issuer in the bundle, too", "an intermediate CA alone"
    elif certificate.is_ca and all(issuer.path_length == 0 for issuer in above):
        yield f"its issuer {certificate.issuer} allows no CA below it", "pathLenConstraint of 1 or more, or none", "0"


def _by_subject(trust: TrustStore) -> dict[str, list[Certificate]]:
    found: dict[str, list[Certificate]] = {}
    for certificate in trust.certificates:
        found.setdefault(certificate.subject, []).append(certificate)
    return found


def describe_key(certificate: Certificate) -> str:
    """Return the kind and size of a certificate's key in words."""
    if certificate.key_type == "EC":
        return f"EC key, {certificate.curve}"
    bits = f", {certificate.key_bits} bits" if certificate.key_bits else ""
    return f"{certificate.key_type or 'unknown'} key{bits}"
