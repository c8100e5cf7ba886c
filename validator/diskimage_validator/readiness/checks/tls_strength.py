"""Keys, signatures and protocols of the endpoints are strong enough.

Every certificate that is presented: RSA of ``min_rsa_bits`` at least, EC on P-256, P-384 or P-521, Ed25519 or Ed448; no
signature with MD5 or SHA-1. The protocol: ``min_protocol`` or later is agreed on, and every older one, offered alone,
is refused (RFC 8996 has given up TLS 1.0 and 1.1).

.. rubric:: Example

With this factory::

    certificates:
      bundle: internal-ca.pem
      min_protocol: TLSv1.2

the line passes for an endpoint with a P-256 key that agrees on TLSv1.3.

It fails for one that also takes TLSv1, or that has RSA of 1024 bits.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.certificates import Certificate, load_certificate
from diskimage_validator.checks.ca_quality import describe_key, strength_faults
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.servers import certificate_rules, subject_of, tls_servers, without_chain
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.tls import AskTls, Handshake
from diskimage_validator.readiness.rules.certificates import CertificateRules
from diskimage_validator.rules.certificates import QualityRules

ID: Final = "tls-strength"
TITLE: Final = "Strength of keys and protocols"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Certificates"


def asks(factory: Factory) -> Iterator[AskTls]:
    """Yield a question per endpoint and IP address."""
    return tls_servers(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every endpoint and IP address."""
    rules = certificate_rules(question.factory)
    expected = f"RSA of {rules.min_rsa_bits} bits or an equal, SHA-256, {rules.min_protocol} or later"
    for ask in tls_servers(question.factory):
        evidence, subject = question.seen[ask], subject_of(ask)
        if absent := without_chain(evidence, subject, expected):
            yield absent
        elif not isinstance(evidence.fact, Unreadable):
            chain = [found for found in map(load_certificate, evidence.fact.chain) if isinstance(found, Certificate)]
            faults = [*_weak_certificates(chain, rules), *_weak_protocol(evidence.fact, rules)]
            actual = f"{describe_key(chain[0])}, {evidence.fact.protocol}"
            if faults:
                hint = "renew the certificate with a strong key, and raise the server's oldest protocol"
                yield tell(evidence, subject, Status.FAIL, "; ".join(faults), expected, actual, hint)
            elif evidence.fact.untold:
                message = f"could not tell: this host's OpenSSL cannot offer {', '.join(evidence.fact.untold)}"
                hint = "ask from a host whose OpenSSL can"
                yield tell(evidence, subject, Status.ERROR, message, expected, actual, hint)
            else:
                yield tell(evidence, subject, Status.PASS, f"{actual}, and nothing older", expected, actual)


def _weak_certificates(chain: list[Certificate], rules: CertificateRules) -> Iterator[str]:
    quality = QualityRules(min_rsa_bits=rules.min_rsa_bits)
    for certificate in chain:
        for message, _, actual in strength_faults(certificate, quality):
            yield f"{certificate}: {message} ({actual})"


def _weak_protocol(found: Handshake, rules: CertificateRules) -> Iterator[str]:
    if found.old:
        yield f"it also takes {', '.join(found.old)}, older than {rules.min_protocol}"
