"""CAs that must not be trusted are in no store, and what the image itself blocks is really out.

``certificates.distrusted`` lists CAs by ``file`` or ``sha256``. None may be in any store: not in the generated bundle,
not in a Java keystore, not in the copy that a Python package brings. An anchor's file is a finding as well, because the
next regeneration would bring the CA back, unless a blocklist names it.

And a blocklist has to be obeyed: lines with ``!`` in Debian's ``/etc/ca-certificates.conf``, and p11-kit's folders
``blocklist``. What they name may be in no store that the distribution generates. An empty list asks for this alone.

.. rubric:: Example

With ``distrusted: [{file: old-root.pem}]`` an image passes that holds the CA nowhere.

An image fails whose bundle lacks the CA, but not the certifi of ``/opt/venv``; and one fails that has
``!mozilla/Old_Root.crt`` in ``ca-certificates.conf`` and still a link to it in ``/etc/ssl/certs``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy, TrustedCa

ID: Final = "ca-distrusted"
TITLE: Final = "Distrusted CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("trust", "ca_stores")

_OUT: Final = "in no store"


def asked(policy: Policy) -> bool:
    """Whether the policy speaks of distrust, be it with an empty list."""
    return policy.rules.certificates.distrusted is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield findings for every distrusted CA, for the image's own blocklist, and for what could not be read."""
    trust, stores = known(question.facts.trust), known(question.facts.ca_stores)
    own = _own_stores(stores)
    for store in own:
        if store.unreadable:
            yield Finding(str(store), Status.ERROR, store.unreadable, _OUT, "unreadable", path=store.path)
    for unread in stores.unread:
        yield Finding(unread.path, Status.ERROR, unread.reason, _OUT, "unreadable", path=unread.path)
    for ca in question.policy.distrusted:
        findings = list(_check_ca(ca, own, stores, trust))
        yield from findings or [Finding(str(ca), Status.PASS, "it is in no store", _OUT, _OUT)]
    yield from _check_blocklist(question.policy, own, stores)


def _own_stores(stores: CaStores) -> list[CaStore]:
    """Return the stores without those that are another one under a second name."""
    found: dict[tuple[str, str], CaStore] = {}
    for store in stores.stores:
        found.setdefault((store.real, store.host), store)
    return list(found.values())


def _check_ca(ca: TrustedCa, own: list[CaStore], stores: CaStores, trust: TrustStore) -> Iterator[Finding]:
    for store in own:
        if ca.sha256 in (*store.certificates, *store.unknown):
            subject, message = (
                f"{store}: {stores.certificates[ca.sha256]}",
                "a CA that must not be trusted is in this store",
            )
            yield Finding(subject, Status.FAIL, message, _OUT, "in this store", _hint(store), store.path)
    blocked = {sha256 for entry in stores.blocked for sha256 in entry.certificates}
    for anchor in trust.anchors_of(ca.sha256):
        if ca.sha256 not in blocked:
            message = "the file of a CA that must not be trusted lies among the anchors"
            hint = f"remove it and run {trust.command}"
            name = next(str(found) for found in anchor.certificates if found.sha256 == ca.sha256)
            subject = f"{anchor.path}: {name}"
            yield Finding(subject, Status.FAIL, message, _OUT, "an anchor", hint, anchor.path)


def _check_blocklist(policy: Policy, own: list[CaStore], stores: CaStores) -> Iterator[Finding]:
    told = {ca.sha256 for ca in policy.distrusted}
    generated = [store for store in own if store.command]
    failed = False
    for entry in stores.blocked:
        for sha256 in entry.certificates:
            for store in generated:
                if sha256 in store.certificates and sha256 not in told:
                    failed = True
                    where = f"{entry.path}, line {entry.line}," if entry.line else entry.path
                    message = f"{where} takes it out of trust, but it is still in this store"
                    subject = f"{store}: {stores.certificates[sha256]}"
                    yield Finding(subject, Status.FAIL, message, _OUT, "in this store", _hint(store), store.path)
    if not failed:
        yield Finding("blocklist", Status.PASS, f"entries: {len(stores.blocked)}; all are out of the generated stores")


def _hint(store: CaStore) -> str:
    return f"block it and run {store.command}" if store.command else "remove it from this store"
