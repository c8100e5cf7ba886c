"""Which CAs the checks of certificates look at: those that the policy names and those that somebody added."""

from collections.abc import Iterator

from diskimage_validator.certificates import Certificate
from diskimage_validator.consumers import PER_HOST
from diskimage_validator.facts.ca_stores import CaStores
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.frozen import dataclass
from diskimage_validator.policy_model import Policy


@dataclass(frozen=True)
class Authority:
    """A CA and a file that shows it. ``reported``: ca-anchors or ca-trusted say whether it is valid."""

    certificate: Certificate
    path: str
    reported: bool


def local_authorities(trust: TrustStore, stores: CaStores, policy: Policy) -> list[Authority]:
    """Return the CAs that the policy names, as far as the image has them, and those added to it; each once."""
    found: dict[str, Authority] = {}
    for authority in _candidates(trust, stores, policy):
        found.setdefault(authority.certificate.sha256, authority)
    return list(found.values())


def _candidates(trust: TrustStore, stores: CaStores, policy: Policy) -> Iterator[Authority]:
    anchors = policy.rules.certificates.anchors
    for anchor in trust.anchors:
        for certificate in anchor.certificates:
            yield Authority(certificate, anchor.path, anchors)
    for certificate in trust.added:
        yield Authority(certificate, trust.bundle_path or "", anchors)
    for ca in policy.trusted:
        for store in stores.stores:
            if ca.sha256 in store.certificates:
                yield Authority(stores.certificates[ca.sha256], store.path, trust.find(ca.sha256) is not None)
    for store in stores.stores:
        if store.consumer in PER_HOST:
            for sha256 in store.certificates:
                yield Authority(stores.certificates[sha256], store.path, reported=False)
