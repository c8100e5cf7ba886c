"""The TLS servers of a factory: what every check of certificates asks about."""

import warnings
from collections.abc import Iterator

from cryptography import x509

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.tls import AskTls, Handshake, place
from diskimage_validator.readiness.rules.certificates import CertificateRules
from diskimage_validator.readiness.rules.endpoints import ServiceEndpoint


def certificate_rules(factory: Factory) -> CertificateRules:
    """Return the section ``certificates`` of a factory that has one: else no check asks for it."""
    if factory.rules.certificates is None:
        raise ValueError("the factory has no section 'certificates'")
    return factory.rules.certificates


def places(endpoint: ServiceEndpoint) -> tuple[str, ...]:
    """Return the IP addresses at which an endpoint is asked; an empty one stands for what the resolvers say."""
    return tuple(dict.fromkeys(endpoint.addresses or [""]))


def tls_servers(factory: Factory) -> Iterator[AskTls]:
    """Yield a question per endpoint and IP address."""
    for endpoint in factory.tls_endpoints:
        for ip in places(endpoint):
            yield AskTls(endpoint.address, ip, certificate_rules(factory).min_protocol)


def subject_of(ask: AskTls) -> str:
    """Return what reports call the server."""
    return place(ask.address, ask.ip)


def without_chain(evidence: Evidence[Handshake], subject: str, expected: str) -> Finding | None:
    """Return the finding on a server that did not present anything: only ``tls-chain`` calls that a failure."""
    fact = evidence.fact
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    if fact.trouble:
        return tell(evidence, subject, Status.SKIP, f"there was no handshake, see tls-chain: {fact.trouble}", expected)
    return None


def load(der: bytes) -> x509.Certificate:
    """Return a certificate that was parsed before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # oddities that cryptography will refuse one day; it still reads them
        return x509.load_der_x509_certificate(der)
