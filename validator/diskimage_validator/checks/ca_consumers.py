"""Every program that has CAs of its own knows the CAs that the policy or ``--ca`` names.

The generated bundle (see ca-trusted) is what curl and git read. Others read something else, and a CA that is in the
bundle alone is the classic "it works with curl and fails in Python". ``certificates.consumers`` lists who is asked:

- ``openssl``: folders in which OpenSSL looks a CA up by the hash of its name, such as ``/etc/ssl/certs``. The link
  ``xxxxxxxx.N`` has to be there, in an unbroken sequence, and has to lead to this very certificate;
- ``openssl-trusted``, ``email``, ``code-signing``, ``edk2``: what p11-kit extracts besides;
- ``java``: keystores ``cacerts`` of the distribution and of every JDK, JKS or PKCS #12;
- ``certifi``, ``pip``, ``botocore``, ``httplib2``: bundles inside Python packages, in every virtual environment. Where
  the distribution patched certifi to read the system's bundle, that one counts; so does it, beside its own copy, for
  pip from 24.2 on;
- ``nss``: databases ``cert9.db``;
- ``docker``, ``containers``, ``buildkit``: CAs for single registries in ``certs.d`` and ``buildkitd.toml``.

Where a CA is neither in the generated bundle nor in another store that is generated with it, ca-trusted says so once.

Left out, all are asked that are in the image, but for the CAs of single registries and for NSS databases without a CA.
One that is listed has to be there.

.. rubric:: Example

With ``consumers: [openssl, java]`` an image passes whose ``/etc/ssl/certs`` has a link ``6c848a0f.0`` to the CA with
that hash, and whose ``/etc/ssl/certs/java/cacerts`` holds the CA.

An image fails where the link is missing although the file is there, and so does one with
``/opt/venv/lib/python3.11/site-packages/certifi/cacert.pem`` as its package brings it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.consumers import PER_HOST, SYSTEM
from diskimage_validator.facts import known
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy, TrustedCa

ID: Final = "ca-consumers"
TITLE: Final = "CAs of every consumer"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("trust", "ca_stores")

_COPIES: Final = ("certifi", "pip", "botocore", "httplib2")


def asked(policy: Policy) -> bool:
    """Whether a CA is named and anybody is to know it."""
    return bool(policy.trusted) and policy.rules.certificates.consumers != []


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every CA that a consumer lacks, and one for every consumer that has all."""
    stores = known(question.facts.ca_stores)
    demanded = question.rules.certificates.consumers
    for store in stores.stores:
        if _is_asked(store, demanded, stores.system):
            yield from _check_store(store, stores, question.policy.trusted)
    for consumer in demanded or ():
        if not stores.of(consumer):
            message = "the image has no store of this consumer"
            yield Finding(consumer, Status.FAIL, message, "a store with the CAs", "none", "install it, or do not ask")


def _is_asked(store: CaStore, demanded: Sequence[str] | None, system: CaStore | None) -> bool:
    if store.consumer == SYSTEM:  # ca-trusted asks the generated bundle; files of their own under its other names
        return store is not system
    if demanded is not None:
        return store.consumer in demanded
    return store.consumer not in PER_HOST and (store.consumer != "nss" or bool(store.certificates))


def _check_store(store: CaStore, stores: CaStores, cas: tuple[TrustedCa, ...]) -> Iterator[Finding]:
    system = stores.system
    if system and store.real == system.real:
        has_all = not system.unreadable and all(ca.sha256 in system.certificates for ca in cas)
        status = Status.PASS if has_all else Status.SKIP
        message = f"reads the system's bundle {system.path}" + ("" if has_all else ": see ca-trusted")
        yield Finding(str(store), status, message, path=store.path)
        return
    lacking = [ca for ca in cas if _lacks_with_bundle(ca, store, stores)]
    findings = [finding for ca in cas if ca not in lacking and (finding := _check_ca(ca, store, stores))]
    yield from findings
    if lacking and not findings and not store.unreadable:
        message = "generated like the system's bundle, which lacks a CA, too: see ca-trusted"
        yield Finding(str(store), Status.SKIP, message, path=store.path)
    elif store.unreadable and not findings:
        yield Finding(
            str(store), Status.ERROR, store.unreadable, "the CAs in this store", "unreadable", path=store.path
        )
    elif fault := _store_fault(store) if not findings else "":
        yield Finding(str(store), Status.FAIL, fault, "a store in order", "damaged", _hint(store), store.path)
    elif not findings:
        message = f"has all CAs that are asked for; certificates: {len(store.certificates)}"
        yield Finding(str(store), Status.PASS, message, path=store.path)


def _lacks_with_bundle(ca: TrustedCa, store: CaStore, stores: CaStores) -> bool:
    """Whether the CA was never baked, or never generated into anything: one defect, which ca-trusted tells."""
    system = stores.system
    if not store.command or system is None or system.unreadable or ca.sha256 in system.certificates:
        return False
    held = (*store.certificates, *store.distrusted, *store.unknown, *store.unlinked)
    return store.consumer != SYSTEM and ca.sha256 not in held


def _check_ca(ca: TrustedCa, store: CaStore, stores: CaStores) -> Finding | None:
    """Return what is wrong about this CA in this store; None if it is trusted, or nothing can be told."""
    if ca.sha256 in stores.trusted_by(store):
        return None
    subject, expected = f"{store}: {ca}", f"sha256 {ca.sha256} in this store"
    if store.unreadable:
        return Finding(
            subject, Status.ERROR, f"could not tell: {store.unreadable}", expected, "unreadable", "", store.path
        )
    if ca.sha256 in store.unknown:
        message = "the CA is there, but nothing tells whether it is trusted"
        return Finding(subject, Status.ERROR, message, expected, "trust unknown", _hint(store), store.path)
    message, actual = _why_missing(ca, store, stores)
    return Finding(subject, Status.FAIL, message, expected, actual, _hint(store), store.path)


def _why_missing(ca: TrustedCa, store: CaStore, stores: CaStores) -> tuple[str, str]:
    if ca.sha256 in store.distrusted:
        return "the CA is there, but marked as not trusted", "distrusted"
    wanted = stores.certificates[ca.sha256].name_hash if ca.sha256 in stores.certificates else ""
    broken = next((link for link in store.hash_links if wanted and link.name.startswith(f"{wanted}.")), None)
    if broken:
        return f"the hash link {broken.name} {broken.fault}", "a link that does not work"
    if ca.sha256 in store.unlinked:
        return f"the CA's file is there, but no hash link {wanted}.N leads to it", "no hash link"
    if store.missing:
        return f"{store.missing[0]}, which it reads, is not there", "no file"
    if store.ignored:
        return f"the CA is missing, and {store.ignored[0]} is passed over: only names ending in .crt count", "ignored"
    names = {stores.certificates[sha256].subject for sha256 in store.certificates}
    if ca.subject and ca.subject in names:
        return "another certificate of the same name is there: an older or newer one of this CA", "another certificate"
    return "the CA is not there", "missing"


def _store_fault(store: CaStore) -> str:
    """Return what is wrong with a store that has the CAs, as a sentence; empty if nothing is."""
    if store.missing:
        return f"{store.missing[0]}, which it names, is not there"
    if store.unparsed:
        return f"certificate {store.unparsed[0].index} cannot be parsed: {store.unparsed[0].reason}"
    if store.hash_links:
        link, others = store.hash_links[0], len(store.hash_links) - 1
        return f"the hash link {link.name} {link.fault}" + (f"; and {others} more do not work" if others else "")
    return ""


def _hint(store: CaStore) -> str:
    if store.command:
        return f"see that the CA is among the anchors, and run {store.command} in the image"
    if store.consumer in _COPIES:
        return "replace the file by a link to the system's bundle"
    return {
        "java": "import the CA with keytool, or make the file a link to the distribution's cacerts",
        "nss": "add the CA with: certutil -A -t C,,",
    }.get(store.consumer, "put the CA there as a file that ends in .crt")
