"""Certificates as CycloneDX cryptographic assets: each once, with every place where it is and who trusts it there."""

from collections.abc import Iterable, Iterator

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.crypto import CertificateProperties, CryptoAssetType, CryptoProperties

from diskimage_validator.certificates import Certificate
from diskimage_validator.facts.ca_stores import CaStores
from diskimage_validator.facts.trust_store import TrustStore

PREFIX = "diskimage-validator"
"""Namespace of this tool's properties."""


def properties(values: dict[str, str]) -> list[Property]:
    """Return properties in this tool's namespace, without those that are empty."""
    return [Property(name=f"{PREFIX}:{name}", value=value) for name, value in values.items() if value]


def evidence(reference: str, paths: Iterable[str]) -> ComponentEvidence:
    """Return where a component is. A path has a reference, because the library would sort them by a random one."""
    occurrences = [Occurrence(location=path, bom_ref=f"{reference}:{path}") for path in dict.fromkeys(paths)]
    return ComponentEvidence(occurrences=occurrences)


def certificates(trust: TrustStore, stores: CaStores) -> Iterator[Component]:
    """Yield a component for every certificate in any store of CAs or among the local anchors.

    Its properties: ``trusted-by`` and ``distrusted-by`` name consumers (see facts.ca_stores), ``added-locally`` says
    that the distribution did not ship what is in its generated bundle.
    """
    places: dict[str, list[str]] = {}
    trusted: dict[str, set[str]] = {}
    distrusted: dict[str, set[str]] = {}
    for store in stores.stores:
        for digests, consumers in ((store.certificates, trusted), (store.distrusted, distrusted)):
            for digest in digests:
                places.setdefault(digest, []).append(store.path)
                consumers.setdefault(digest, set()).add(store.consumer)
    known = {certificate.sha256: certificate for anchor in trust.anchors for certificate in anchor.certificates}
    for anchor in trust.anchors:
        for certificate in anchor.certificates:
            places.setdefault(certificate.sha256, []).append(anchor.path)
    known |= stores.certificates
    added = {certificate.sha256 for certificate in trust.added}
    for digest in [digest for digest in places if digest in known]:
        values = {
            "trusted-by": ", ".join(sorted(trusted.get(digest, ()))),
            "distrusted-by": ", ".join(sorted(distrusted.get(digest, ()))),
            "added-locally": "true" if digest in added else "",
        }
        yield _certificate(known[digest], places[digest], values)


def unread(stores: CaStores) -> list[str]:
    """Return a line for each store that could not be read wholly."""
    parts = [f"{store.path}: {store.unreadable}" for store in stores.stores if store.unreadable]
    return parts + [f"{file.path}: {file.reason}" for file in stores.unread]


def _certificate(certificate: Certificate, places: list[str], values: dict[str, str]) -> Component:
    reference = f"certificate:{certificate.sha256}"
    details = CertificateProperties(
        subject_name=certificate.subject,
        issuer_name=certificate.issuer,
        not_valid_before=certificate.not_before,
        not_valid_after=certificate.not_after,
        certificate_format="X.509",
    )
    return Component(
        name=str(certificate),
        type=ComponentType.CRYPTOGRAPHIC_ASSET,
        bom_ref=reference,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=certificate.sha256)],
        crypto_properties=CryptoProperties(asset_type=CryptoAssetType.CERTIFICATE, certificate_properties=details),
        evidence=evidence(reference, places),
        properties=properties(values),
    )
