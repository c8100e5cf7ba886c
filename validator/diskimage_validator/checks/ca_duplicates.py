"""No store holds a CA twice, and no CA comes with an older certificate of the same key.

A bundle that holds one certificate twice was put together by hand or by two tools at once; keytool and some TLS
libraries refuse it, and whoever removes one of them believes that the CA is gone. Two certificates of one subject and
one key are told apart by their dates alone: which of them a client takes is chance. The distribution's own are left
alone in that respect.

``certificates.unique: true`` asks for it. One finding names all the stores that repeat a CA.

.. rubric:: Example

An image passes whose bundle holds two internal CAs of one name with different keys: that is how a CA is replaced.

An image fails whose bundle holds the internal CA twice, because it was appended to the bundle and is an anchor, too.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.authorities import local_authorities
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "ca-duplicates"
TITLE: Final = "Repeated CAs"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("trust", "ca_stores")


def asked(policy: Policy) -> bool:
    """Whether the policy wants every CA once."""
    return policy.rules.certificates.unique


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every repeated CA and every store that could not be read; one PASS if there is none."""
    trust, stores = known(question.facts.trust), known(question.facts.ca_stores)
    local = {found.certificate.sha256 for found in local_authorities(trust, stores, question.policy)}
    repeated: dict[tuple[str, str], list[str]] = {}
    reached: set[str] = set()
    findings: list[Finding] = []
    for store in stores.stores:
        if store.unreadable:
            reason = store.unreadable
            findings.append(Finding(str(store), Status.ERROR, reason, "every CA once", "unreadable", path=store.path))
        if store.real not in reached or store.host:
            for pair in _pairs(store, stores, local):
                repeated.setdefault(pair, []).append(store.path)
        reached.add(store.real)
    findings += [_finding(pair, paths, stores) for pair, paths in repeated.items()]
    yield from findings
    if not findings:
        yield Finding("CAs", Status.PASS, f"no CA is repeated in any of {len(reached)} stores", "every CA once", "none")


def _pairs(store: CaStore, stores: CaStores, local: set[str]) -> Iterator[tuple[str, str]]:
    """Yield (sha256, sha256) for what stands twice in the store; the same one twice if it is one certificate."""
    seen: set[str] = set()
    keys: dict[tuple[str, str], str] = {}
    for sha256 in store.certificates:
        if sha256 in seen:
            yield sha256, sha256
            continue
        seen.add(sha256)
        certificate = stores.certificates[sha256]
        other = keys.setdefault((certificate.subject, certificate.key_sha256), sha256)
        if other != sha256 and certificate.key_sha256 and {other, sha256} & local:
            yield other, sha256


def _finding(pair: tuple[str, str], paths: list[str], stores: CaStores) -> Finding:
    first, second = pair
    where = f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else paths[0]
    subject = str(stores.certificates[first])
    if first == second:
        message, hint = f"stands twice in {where}", "keep one of its files, and generate the store anew"
    else:
        message = f"two certificates of this CA with one key stand in {where}"
        hint = f"keep the newer one; sha256 {first} and {second}"
    return Finding(subject, Status.FAIL, message, "once", "twice", hint, paths[0])
