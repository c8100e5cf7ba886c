"""The bill of materials as CycloneDX 1.6 JSON: packages, the operating system, and CAs as cryptographic assets.

Built from facts, because a bill of materials has no verdict. It is never half a bill: if the packages or the trust
store could not be read, there is none. The same image gives the same document but for the time when it was read.

Sources: CycloneDX 1.6 (ECMA-424), https://cyclonedx.org/docs/1.6/json/; the package URL types ``deb`` and ``rpm``,
https://github.com/package-url/purl-spec.
"""

import hashlib
import json
import posixpath
import uuid
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final, TextIO

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.crypto import CertificateProperties, CryptoAssetType, CryptoProperties
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from diskimage_validator.certificates import Certificate
from diskimage_validator.facts import Facts, known
from diskimage_validator.facts.os_release import OsRelease
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.model import DISTRIBUTION, TargetInfo

PURL_TYPES: Final = {"dpkg": "deb", "rpm": "rpm"}
ABSENT: Final = frozenset({"config-files", "not-installed"})
"""States of dpkg in which no file of the package is there."""
NAMESPACE: Final = uuid.UUID("0d8bd5a6-6f3a-5e1b-9d3c-4f2a7c6e1b90")
"""Of the documents' serial numbers (RFC 9562, UUIDs of version 5)."""
PROPERTY: Final = "diskimage-validator"


def write(facts: Facts, stream: TextIO) -> None:
    """Write one JSON object. Raises FactUnavailableError if system, packages or trust store could not be read."""
    system, packages, trust = known(facts.os), known(facts.packages), known(facts.trust)
    components = [_operating_system(system), *_packages(packages, system), *_certificates(trust)]
    tool = Component(name="diskimage-validator", version=version(DISTRIBUTION), type=ComponentType.APPLICATION)
    image = _image(facts.target)
    metadata = BomMetaData(
        component=image, timestamp=facts.collected.replace(microsecond=0), tools=ToolRepository(components=[tool])
    )
    bom = Bom(components=components, metadata=metadata, serial_number=_serial_number(facts, components))
    bom.register_dependency(image, components)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    json.dump(document, stream, indent=2)
    stream.write("\n")


def _serial_number(facts: Facts, components: list[Component]) -> uuid.UUID:
    """Return a UUID that the image's sha256 determines, or its content if the target is no file."""
    content = "\n".join(str(component.bom_ref.value) for component in components)
    digest = facts.target.sha256 or hashlib.sha256(content.encode()).hexdigest()
    return uuid.uuid5(NAMESPACE, f"{digest} {version(DISTRIBUTION)}")


def _image(target: TargetInfo) -> Component:
    return Component(
        name=posixpath.basename(target.name) or target.name,
        type=ComponentType.FILE if target.sha256 else ComponentType.PLATFORM,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=target.sha256)] if target.sha256 else [],
        properties=_properties({"kind": target.kind, "format": target.format or ""}),
    )


def _operating_system(system: OsRelease) -> Component:
    return Component(
        name=system.id,
        version=system.version_id or None,
        description=system.name or None,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="operating-system",
        properties=_properties({"codename": system.codename}),
    )


def _packages(packages: Packages, system: OsRelease) -> Iterator[Component]:
    """Yield a component for every package that has files in the image, each once."""
    seen: set[str] = set()
    for package in packages.all:
        purl = _purl(package, PURL_TYPES[packages.manager], system)
        reference = purl.to_string()
        if package.state in ABSENT or reference in seen:
            continue
        seen.add(reference)
        yield Component(
            name=package.name,
            version=package.version or None,
            type=ComponentType.LIBRARY,
            bom_ref=reference,
            purl=purl,
            properties=_properties({"state": "" if package.is_installed else package.state}),
        )


def _purl(package: Package, kind: str, system: OsRelease) -> PackageURL:
    epoch, colon, rest = package.version.partition(":")
    split = kind == "rpm" and colon  # rpm has the epoch as a qualifier, deb in the version
    qualifiers = {
        "arch": package.architecture,
        "distro": "-".join(filter(None, (system.id, system.version_id))),
        "epoch": epoch if split else "",
    }
    given = {name: value for name, value in qualifiers.items() if value}
    return PackageURL(kind, system.id, package.name, rest if split else package.version, given)


def _certificates(trust: TrustStore) -> Iterator[Component]:
    """Yield a component for every certificate in the generated bundle or among the local anchors, each once."""
    places: dict[str, list[str]] = {}
    certificates: dict[str, Certificate] = {}
    found = [(trust.bundle_path or "", certificate) for certificate in trust.certificates]
    found += [(anchor.path, certificate) for anchor in trust.anchors for certificate in anchor.certificates]
    for path, certificate in found:
        certificates[certificate.sha256] = certificate
        places.setdefault(certificate.sha256, []).append(path)
    trusted = {certificate.sha256 for certificate in trust.certificates}
    added = {certificate.sha256 for certificate in trust.added}
    for digest, certificate in certificates.items():
        flags = {"trusted": str(digest in trusted).lower(), "added-locally": "true" if digest in added else ""}
        yield _certificate(certificate, places[digest], flags)


def _certificate(certificate: Certificate, places: list[str], flags: dict[str, str]) -> Component:
    details = CertificateProperties(
        subject_name=certificate.subject,
        issuer_name=certificate.issuer,
        not_valid_before=certificate.not_before,
        not_valid_after=certificate.not_after,
        certificate_format="X.509",
    )
    reference = f"certificate:{certificate.sha256}"
    return Component(
        name=str(certificate),
        type=ComponentType.CRYPTOGRAPHIC_ASSET,
        bom_ref=reference,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=certificate.sha256)],
        crypto_properties=CryptoProperties(asset_type=CryptoAssetType.CERTIFICATE, certificate_properties=details),
        # Without a reference of their own the library would sort them by a random one.
        evidence=ComponentEvidence(
            occurrences=[Occurrence(location=path, bom_ref=f"{reference}:{path}") for path in dict.fromkeys(places)]
        ),
        properties=_properties(flags),
    )


def _properties(values: dict[str, str]) -> list[Property]:
    return [Property(name=f"{PROPERTY}:{name}", value=value) for name, value in values.items() if value]
