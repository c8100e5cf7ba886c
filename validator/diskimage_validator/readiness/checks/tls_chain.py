"""Every endpoint answers, and what it presents now leads to a CA of the trusted bundle, for the name that it has here.

The handshake is made at every address of ``addresses``, with the endpoint's name in it: behind one name, one of two
load balancers may still have the old certificate. What is presented is judged as a TLS client would do it that trusts
``bundle`` and nothing else: validity, name, signatures, the intermediate CA that the server has to send, and what the
CAs are allowed to sign. See ``ca-endpoint`` for the verdict's rules.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: registry.internal, port: 5000, addresses: [192.0.2.10]}
    certificates:
      bundle: internal-ca.pem

the line passes if the registry presents a certificate for ``registry.internal`` and the CA between it and the root.

It fails if the certificate has expired, is for ``registry.example.org`` only, was signed by a CA that is not in the
bundle, or comes without its intermediate CA, and if nobody listens there.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from cryptography import x509

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.path_validation import validate_path
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.checks.servers import load, subject_of, tls_servers
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.tls import AskTls, Handshake

ID: Final = "tls-chain"
TITLE: Final = "Certificates that verify"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Certificates"


def asks(factory: Factory) -> Iterator[AskTls]:
    """Yield a question per endpoint and IP address."""
    return tls_servers(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every endpoint and IP address."""
    authorities = [load(der) for der in question.factory.authorities]
    for ask in tls_servers(question.factory):
        yield _judge(ask, question.seen[ask], authorities, question)


def _judge(
    ask: AskTls, evidence: Evidence[Handshake], authorities: Sequence[x509.Certificate], question: Question
) -> Finding:
    subject, fact = subject_of(ask), evidence.fact
    expected = f"a chain to a CA of the bundle, for {ask.address.name}"
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, subject, expected, fact)
    if fact.trouble:
        hint = "is it started, may this host reach it, and is TLS spoken on that port?"
        return tell(evidence, subject, Status.FAIL, fact.trouble, expected, "no handshake", hint)
    verdict = validate_path(ask.address, [load(der) for der in fact.chain], authorities, question.now)
    if verdict.trusted:
        remarks = [f"verifies: {' < '.join(verdict.path)}"]
        if verdict.strict:
            remarks.append(f"strict clients such as Python 3.13 may refuse it: {verdict.strict}")
        actual = f"{len(fact.chain)} certificates presented"
        return tell(evidence, subject, Status.PASS, "; ".join(remarks), expected, actual)
    if verdict.unknown:
        message = f"could not tell: nothing seems wrong with the chain, but the verifier says: {verdict.unknown}"
        return tell(evidence, subject, Status.ERROR, message, expected, verdict.unknown, "try it with a client")
    message = "; ".join(fault.message for fault in verdict.faults)
    return tell(evidence, subject, Status.FAIL, message, expected, "not trusted", verdict.faults[0].hint)
