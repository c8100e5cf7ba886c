"""The bill of materials as CycloneDX 1.6 JSON: system, packages, Python distributions, and CAs as cryptographic assets.

Built from facts, because a bill of materials has no verdict. It is never half a bill: if one of these kinds of facts
could not be read, there is none; a single file that could not be read is named in the property ``incomplete``. The same
image gives the same document but for the time when it was read.

Sources: CycloneDX 1.6 (ECMA-424), https://cyclonedx.org/docs/1.6/json/; the package URL types ``deb``, ``rpm`` and
``pypi``, https://github.com/package-url/purl-spec.
"""

import hashlib
import json
import posixpath
import uuid
from collections.abc import Iterator
from typing import Final, TextIO

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from diskimage_validator.facts import Facts, known
from diskimage_validator.facts.os_release import OsRelease
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.facts.python_packages import PythonPackages
from diskimage_validator.model import TargetInfo
from diskimage_validator.release import VERSION
from diskimage_validator.reports.cyclonedx_certificates import certificates, evidence, properties, unread

PURL_TYPES: Final = {"dpkg": "deb", "rpm": "rpm"}
NAMESPACE: Final = uuid.UUID("0d8bd5a6-6f3a-5e1b-9d3c-4f2a7c6e1b90")
"""Of the documents' serial numbers (RFC 9562, UUIDs of version 5)."""


def write(facts: Facts, stream: TextIO) -> None:
    """Write one JSON object. Raises FactUnavailableError if a kind of facts that belongs to it could not be read."""
    system, stores, python = known(facts.os), known(facts.ca_stores), known(facts.python)
    components = [
        _operating_system(system),
        *_packages(known(facts.packages), system),
        *_distributions(python),
        *certificates(known(facts.trust), stores),
    ]
    incomplete = [*unread(stores), *(path for environment in python.environments for path in environment.unreadable)]
    image = _image(facts.target)
    tool = Component(name="diskimage-validator", version=VERSION, type=ComponentType.APPLICATION)
    metadata = BomMetaData(
        component=image,
        timestamp=facts.collected.replace(microsecond=0),
        tools=ToolRepository(components=[tool]),
        properties=[entry for text in incomplete for entry in properties({"incomplete": text})],
    )
    bom = Bom(components=components, metadata=metadata, serial_number=_serial_number(facts, components))
    bom.register_dependency(image, components)
    json.dump(json.loads(JsonV1Dot6(bom).output_as_string()), stream, indent=2)
    stream.write("\n")


def _serial_number(facts: Facts, components: list[Component]) -> uuid.UUID:
    """Return a UUID that the image's sha256 determines, or its content if the target is no file."""
    content = "\n".join(str(component.bom_ref.value) for component in components)
    digest = facts.target.sha256 or hashlib.sha256(content.encode()).hexdigest()
    return uuid.uuid5(NAMESPACE, f"{digest} {VERSION}")


def _image(target: TargetInfo) -> Component:
    return Component(
        name=posixpath.basename(target.name) or target.name,
        type=ComponentType.FILE if target.sha256 else ComponentType.PLATFORM,
        bom_ref="image",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=target.sha256)] if target.sha256 else [],
        properties=properties({"kind": target.kind, "format": target.format or ""}),
    )


def _operating_system(system: OsRelease) -> Component:
    return Component(
        name=system.id,
        version=system.version_id or None,
        description=system.name or None,
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="operating-system",
        properties=properties({"codename": system.codename}),
    )


def _packages(packages: Packages, system: OsRelease) -> Iterator[Component]:
    """Yield a component for every package that has files in the image, each once."""
    seen: set[str] = set()
    for package in packages.present:
        purl = _purl(package, PURL_TYPES[packages.manager], system)
        if (reference := purl.to_string()) in seen:
            continue
        seen.add(reference)
        state: list[Property] = properties({"state": "" if package.is_installed else package.state})
        yield Component(
            name=package.name, version=package.version or None, bom_ref=reference, purl=purl, properties=state
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


def _distributions(python: PythonPackages) -> Iterator[Component]:
    """Yield a component for every Python distribution in a version, with all the places where it is installed."""
    places: dict[tuple[str, str], list[str]] = {}
    for environment in python.environments:
        for distribution in environment.distributions:
            places.setdefault((distribution.name, distribution.version), []).append(distribution.path)
    for (name, number), paths in places.items():
        purl = PackageURL("pypi", None, name, number)
        reference = purl.to_string()
        yield Component(
            name=name, version=number or None, bom_ref=reference, purl=purl, evidence=evidence(reference, paths)
        )
