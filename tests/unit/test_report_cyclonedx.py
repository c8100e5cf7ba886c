"""The bill of materials: valid, the same for the same image, complete or not there."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import Facts
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.reports import FACT_WRITERS
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Broken, Entry
from tests.support.reports import HOSTILE


def text_of(facts: Facts) -> str:
    stream = io.StringIO()
    FACT_WRITERS["cyclonedx"].write(facts, stream)
    return stream.getvalue()


def bom_of(facts: Facts) -> dict[str, Any]:
    """Return the document, which the strict schema of CycloneDX 1.6 allows."""
    text = text_of(facts)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document: dict[str, Any] = json.loads(text)
    return document


def component(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [component for component in document["components"] if component["name"] == name]
    return dict(found)


def properties(found: dict[str, Any]) -> dict[str, str]:
    return {entry["name"].removeprefix("diskimage-validator:"): entry["value"] for entry in found["properties"]}


def with_packages(tree: dict[str, Entry], manager: str, *packages: Package) -> Facts:
    return replace(facts_of(tree), packages=Packages(manager, "/db", packages))


def test_it_is_about_the_image(tree: dict[str, Entry]) -> None:
    facts = replace(facts_of(tree), collected=datetime(2026, 6, 1, 12, 0, 0, 5, UTC))
    metadata = bom_of(facts)["metadata"]
    assert metadata["component"]["name"] == "memory.qcow2"
    assert metadata["component"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert metadata["timestamp"] == "2026-06-01T12:00:00+00:00"
    assert [tool["name"] for tool in metadata["tools"]["components"]] == ["diskimage-validator"]


def test_packages_and_system_are_components(tree: dict[str, Entry]) -> None:
    document = bom_of(facts_of(tree))
    purl = "pkg:deb/debian/docker-ce@5:24.0.7-1?arch=amd64&distro=debian-12"
    assert component(document, "docker-ce")["purl"] == purl
    assert component(document, "debian")["type"] == "operating-system"
    assert component(document, "debian")["version"] == "12"
    (dependencies,) = [entry for entry in document["dependencies"] if entry["ref"] == "image"]
    assert purl in dependencies["dependsOn"]


def test_what_left_only_its_configuration_is_not_in_the_image(tree: dict[str, Entry]) -> None:
    removed, half = Package("gone", "1", "amd64", "config-files"), Package("half", "1", "amd64", "unpacked")
    document = bom_of(with_packages(tree, "dpkg", removed, half))
    assert "gone" not in {found["name"] for found in document["components"]}
    assert properties(component(document, "half")) == {"state": "unpacked"}


def test_rpm_has_the_epoch_as_a_qualifier(tree: dict[str, Entry]) -> None:
    document = bom_of(with_packages(tree, "rpm", Package("podman", "2:4.9.4-1.el9", "x86_64")))
    expected = "pkg:rpm/debian/podman@4.9.4-1.el9?arch=x86_64&distro=debian-12&epoch=2"
    assert component(document, "podman")["purl"] == expected


def test_a_package_that_is_listed_twice_is_there_once(tree: dict[str, Entry]) -> None:
    package = Package("jq", "1", "amd64")
    component(bom_of(with_packages(tree, "dpkg", package, package)), "jq")


def test_certificates_are_cryptographic_assets(tree: dict[str, Entry]) -> None:
    document = bom_of(facts_of(tree))
    found = component(document, "CN=Internal CA")
    assert found["type"] == "cryptographic-asset"
    assert found["cryptoProperties"]["assetType"] == "certificate"
    assert found["cryptoProperties"]["certificateProperties"]["notValidAfter"].startswith("2027-06-01T")
    assert found["hashes"] == [{"alg": "SHA-256", "content": pki.sha256(pki.certificate("Internal CA"))}]
    assert {entry["location"] for entry in found["evidence"]["occurrences"]} >= {images.ANCHOR, images.BUNDLE}
    assert properties(found) == {"trusted-by": "openssl, system", "added-locally": "true"}
    assert properties(component(document, "CN=Public Root")) == {"trusted-by": "openssl, system"}


def test_a_certificate_says_which_consumers_trust_it(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/python3/dist-packages/certifi/__init__.py"] = ""
    tree["/usr/lib/python3/dist-packages/certifi/cacert.pem"] = pki.pem(pki.certificate("Public Root"))
    found = component(bom_of(facts_of(tree)), "CN=Public Root")
    assert properties(found) == {"trusted-by": "certifi, openssl, system"}


def test_a_store_that_could_not_be_read_is_named(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/python3/dist-packages/certifi/__init__.py"] = ""
    tree["/usr/lib/python3/dist-packages/certifi/cacert.pem"] = Broken()
    (incomplete,) = bom_of(facts_of(tree))["metadata"]["properties"]
    assert incomplete["name"] == "diskimage-validator:incomplete"
    assert "cacert.pem" in incomplete["value"]


def test_python_distributions_are_components_with_their_places(tree: dict[str, Entry]) -> None:
    for prefix in ("/usr/lib/python3/dist-packages", "/opt/tool/lib/python3.11/site-packages"):
        tree[f"{prefix}/requests-2.31.0.dist-info/METADATA"] = "Name: requests\nVersion: 2.31.0\n"
    tree["/usr/bin/python3.11"] = images.program()
    tree["/opt/tool/pyvenv.cfg"] = "home = /usr/bin\n"
    found = component(bom_of(facts_of(tree)), "requests")
    assert found["purl"] == "pkg:pypi/requests@2.31.0"
    assert len(found["evidence"]["occurrences"]) == 2


def test_an_anchor_that_is_not_in_the_bundle_is_there_and_not_trusted(tree: dict[str, Entry]) -> None:
    tree[images.BUNDLE] = pki.pem(pki.certificate("Public Root"))
    tree = {path: entry for path, entry in tree.items() if path in (images.BUNDLE, images.ANCHOR, images.STATUS)}
    tree["/etc/os-release"] = images.OS_RELEASE
    assert "properties" not in component(bom_of(facts_of(tree)), "CN=Internal CA")


def test_the_same_image_gives_the_same_document(tree: dict[str, Entry]) -> None:
    first, second = facts_of(tree), facts_of(tree)
    assert text_of(first) == text_of(replace(second, collected=first.collected))
    other = replace(first, target=replace(first.target, sha256="cd" * 32))
    assert json.loads(text_of(first))["serialNumber"] != json.loads(text_of(other))["serialNumber"]


def test_a_target_that_is_no_file_has_no_hash(tree: dict[str, Entry]) -> None:
    facts = facts_of(tree)
    document = bom_of(replace(facts, target=replace(facts.target, sha256=None)))
    assert "hashes" not in document["metadata"]["component"]


@pytest.mark.parametrize("missing", [images.STATUS, "/usr/lib/os-release"])
def test_there_is_no_half_bill(tree: dict[str, Entry], missing: str) -> None:
    del tree[missing]
    with pytest.raises(ValidatorError):
        text_of(facts_of(tree))


def test_hostile_names_stay_names(tree: dict[str, Entry]) -> None:
    name = HOSTILE.replace("\udcff", "?")  # facts never hold surrogates
    facts = with_packages(tree, "dpkg", Package(name, name, name))
    assert component(bom_of(facts), name)["version"] == name
