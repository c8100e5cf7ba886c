"""Every endpoint that the policy or ``--endpoint`` names is trusted by the image, proven with its chain.

A CA in the bundle is half of the proof. The chain may lack its intermediate CA, may have expired, may be for another
name, or may be signed by the CA's predecessor. So the chain is verified as a TLS client would do it, with the CAs that
the image holds and nothing else, at the moment of the validation, for the endpoint's name or IP address. Nothing is
contacted: the chain is a file, see ``diskimage-validator fetch-chain``.

``consumers`` says whose CAs count: ``system`` (the default) is the generated bundle; ``java``, ``certifi``, ``pip``,
``nss`` and others each have stores of their own; ``docker``, ``containers`` and ``buildkit`` trust the bundle and, for
one registry, what ``certs.d`` or ``buildkitd.toml`` gives them for ``name:port``.

The verdict is that of OpenSSL's clients, and for the last three that of Go's. What trusts the common name instead of a
subjectAltName, SHA-1 or RSA of 1024 bits is not asked. A chain that passes may still be refused by the strict reading
of RFC 5280, which Python 3.13 and later has by default: then the finding says so, and with ``strict: true`` it fails.
A chain with algorithms or critical extensions that the verifier does not know is neither: ERROR.

.. rubric:: Example

With this policy::

    certificates:
      endpoints:
        - {name: registry.internal, port: 5000, chain: registry-chain.pem, consumers: [system, docker]}

an image passes whose bundle holds the root of the chain in ``registry-chain.pem``, which is valid and for
``registry.internal``.

An image fails that holds only the root's predecessor; and so does every image, if the registry does not send its
intermediate CA: the finding names the certificate that is missing.
"""

import base64
import warnings
from collections.abc import Iterator
from typing import Final

from cryptography import x509

from diskimage_validator.checks.base import Question
from diskimage_validator.consumers import PER_HOST, SYSTEM
from diskimage_validator.endpoints import Endpoint
from diskimage_validator.facts import known
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.path_faults import Client
from diskimage_validator.path_validation import Verdict, validate_path
from diskimage_validator.policy_model import Policy

ID: Final = "ca-endpoint"
TITLE: Final = "Trusted endpoints"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("ca_stores",)

HTTPS: Final = 443


@dataclass(frozen=True)
class View:
    """The CAs that one consumer trusts for one endpoint; ``unreadable``: why that may not be all."""

    subject: str
    path: str
    certificates: tuple[str, ...]
    client: Client
    unreadable: str = ""


def asked(policy: Policy) -> bool:
    """Whether the policy or the command line names an endpoint."""
    return bool(policy.endpoints)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every endpoint, consumer and store."""
    stores = known(question.facts.ca_stores)
    loaded: dict[str, x509.Certificate] = {}
    for endpoint in question.policy.endpoints:
        for consumer in endpoint.consumers:
            views = list(_views(endpoint, consumer, stores))
            for view in views:
                yield _judge(endpoint, view, stores, loaded, question)
            if not views:
                yield Finding(f"{endpoint} for {consumer}", Status.SKIP, f"the image has no store of {consumer}")


def _views(endpoint: Endpoint, consumer: str, stores: CaStores) -> Iterator[View]:
    if consumer == SYSTEM or consumer in PER_HOST:
        hosts = _registry_names(endpoint)
        own = [store for store in stores.of(consumer) if store.host in hosts and consumer != SYSTEM]
        both = [*([stores.system] if stores.system else []), *own]
        yield View(
            str(endpoint) if consumer == SYSTEM else f"{endpoint} for {consumer}",
            both[-1].path if both else "",
            tuple(sha256 for store in both for sha256 in stores.trusted_by(store)),
            Client.OPENSSL if consumer == SYSTEM else Client.GO,
            _unreadable(both),
        )
        return
    for store in stores.of(consumer):
        trusted, reason = stores.trusted_by(store), _unreadable([store])
        yield View(f"{endpoint} for {store}", store.path, trusted, Client.OPENSSL, reason)


def _registry_names(endpoint: Endpoint) -> set[str]:
    """Return the names under which ``certs.d`` may know the endpoint: with its port, and without if it is HTTPS's."""
    address = endpoint.address
    name = f"[{address.name}]" if ":" in address.name else address.name
    if address.port in (None, HTTPS):
        return {name, f"{name}:{HTTPS}"}
    return {str(address)}


def _unreadable(stores: list[CaStore]) -> str:
    return "; ".join(store.unreadable for store in stores if store.unreadable)


def _judge(
    endpoint: Endpoint, view: View, stores: CaStores, loaded: dict[str, x509.Certificate], question: Question
) -> Finding:
    chain = [_load(der) for der in endpoint.chain]
    for sha256 in view.certificates:
        if sha256 not in loaded:
            loaded[sha256] = _load(base64.b64decode(stores.ders[sha256]))
    authorities = [loaded[sha256] for sha256 in dict.fromkeys(view.certificates)]
    verdict = validate_path(endpoint.address, chain, authorities, question.now, view.client)
    expected = f"{endpoint.source or 'the chain'} leads to a CA that the image trusts, for {endpoint.address.name}"
    if verdict.trusted:
        return _trusted(endpoint, view, verdict, expected, chain[0])
    if view.unreadable:
        message = f"could not tell: a store cannot be read: {view.unreadable}"
        return Finding(view.subject, Status.ERROR, message, expected, "unreadable", path=view.path)
    if verdict.unknown:
        message = f"could not tell: nothing seems wrong with the chain, but the verifier says: {verdict.unknown}"
        hint = "try it with a client in the image; the verifier knows RSA, P-256, P-384 and P-521"
        return Finding(view.subject, Status.ERROR, message, expected, verdict.unknown, hint, view.path)
    if not authorities:
        hint = "install the package ca-certificates"
        return Finding(view.subject, Status.FAIL, "there is no CA to trust", expected, "none", hint, view.path)
    message = "; ".join(fault.message for fault in verdict.faults)
    return Finding(view.subject, Status.FAIL, message, expected, "not trusted", verdict.faults[0].hint, view.path)


def _trusted(endpoint: Endpoint, view: View, verdict: Verdict, expected: str, leaf: x509.Certificate) -> Finding:
    actual = f"valid until {leaf.not_valid_after_utc:%Y-%m-%d}"
    if verdict.strict and endpoint.strict:
        message = f"trusted, but not by the strict reading of RFC 5280: {verdict.strict}"
        return Finding(view.subject, Status.FAIL, message, expected, verdict.strict, "renew the certificate", view.path)
    remarks = [f"trusted: {' < '.join(verdict.path)}"]
    if verdict.strict:
        remarks.append(f"strict clients such as Python 3.13 may refuse it: {verdict.strict}")
    if verdict.ambiguous:
        remarks.append(f"several certificates of {verdict.ambiguous} are presented, of which OpenSSL tries only one")
    return Finding(view.subject, Status.PASS, "; ".join(remarks), expected, actual, path=view.path)


def _load(der: bytes) -> x509.Certificate:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # oddities that cryptography will refuse one day; it still reads them
        return x509.load_der_x509_certificate(der)
