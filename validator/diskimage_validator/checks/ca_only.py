"""The stores hold nothing but the CAs that the policy or ``--ca`` names.

A node that reaches internal services alone needs no public CA, and every CA less is one that cannot be abused.
``certificates.only: true`` asks for it: of the generated bundle and of every other store in the image, those for single
registries and copies in Python packages too. One finding for a store names the first CAs that are too many.

.. rubric:: Example

With ``certificates: {only: true, trusted: [{file: internal-ca.pem}]}`` an image passes whose bundle holds this one CA.

An image fails that has the distribution's public CAs, or whose ``/opt/venv`` brings a certifi with those of Mozilla.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.ca_stores import CaStore, CaStores
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "ca-only"
TITLE: Final = "No other CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("ca_stores",)

_EXPECTED: Final = "only the CAs that are asked for"
_SHOWN: Final = 3


def asked(policy: Policy) -> bool:
    """Whether the policy wants nothing but the CAs that it names."""
    return policy.rules.certificates.only


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every store."""
    allowed = {ca.sha256 for ca in question.policy.trusted}
    if not allowed:
        message = "the policy allows only the CAs that it names, and names none"
        yield Finding("CAs", Status.ERROR, message, hint="name them under certificates.trusted or with --ca")
        return
    stores = known(question.facts.ca_stores)
    seen: set[tuple[str, str]] = set()
    for store in stores.stores:
        if (store.real, store.host) not in seen:
            seen.add((store.real, store.host))
            yield _check_store(store, stores, allowed)
    if not stores.stores:
        yield Finding("CAs", Status.PASS, "the image has no store of CAs", _EXPECTED, "none")


def _check_store(store: CaStore, stores: CaStores, allowed: set[str]) -> Finding:
    others = [sha256 for sha256 in dict.fromkeys((*store.certificates, *store.unknown)) if sha256 not in allowed]
    if others:
        names = "; ".join(str(stores.certificates[sha256]) for sha256 in others[:_SHOWN])
        more = f"; and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        hint = "deselect the distribution's CAs, and remove what packages bring along"
        message = f"CAs that nobody asked for: {len(others)}"
        return Finding(str(store), Status.FAIL, message, _EXPECTED, names + more, hint, store.path)
    if store.unreadable:
        return Finding(str(store), Status.ERROR, store.unreadable, _EXPECTED, "unreadable", path=store.path)
    if store.unparsed:
        message = f"certificate {store.unparsed[0].index} cannot be parsed: {store.unparsed[0].reason}"
        return Finding(str(store), Status.ERROR, message, _EXPECTED, "unparsed", path=store.path)
    return Finding(
        str(store), Status.PASS, f"certificates: {len(store.certificates)}", _EXPECTED, "no other", path=store.path
    )
