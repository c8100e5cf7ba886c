"""Verdicts about the room for mirrors that a test cannot bring registries and file systems into."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding
from diskimage_validator.readiness.asking import Ask, Evidence, Seen
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.facts.storage import AskContainerImage, AskPackages, ContainerImage, PackageSet, Stored

FACTORY = """\
version: 1
name: test
storage:
  images: [{image: "registry.internal/kolla/nova:1", platforms: [linux/amd64, linux/arm64]}]
  packages: [{index: Packages, packages: [a, absent-and-huge]}]
  factor: 1
  mirrors: [{quota: %s}]
"""
IMAGE = ContainerImage((Stored("sha256:1", 40),), ("linux/amd64", "linux/arm64"))
PACKAGES = PackageSet((Stored("sha256:2", 10),))


def judged(check: str, text: str, folder: Path, facts: Mapping[type[Ask[Any]], Any]) -> Finding:
    """Return what ``check`` says where questions of each type are answered by ``facts``."""
    factory = parse_factory(text, "factory.yaml", folder)
    seen = Seen({ask: Evidence(ask, facts[type(ask)], "now") for ask in READINESS_CHECKS[check].asks(factory)})
    (finding,) = READINESS_CHECKS[check].run(Question(factory, seen, datetime.now(UTC)))
    return finding


@pytest.mark.parametrize(
    ("image", "packages", "unknown"),
    [
        (IMAGE, PACKAGES, ""),
        (IMAGE, PackageSet(PACKAGES.files, missing=("absent-and-huge",)), "what is not in Packages: see storage-packages"),
        (IMAGE, PackageSet(PACKAGES.files, unmet=("a: huge",)), "what is not in Packages: see storage-packages"),
        (
            ContainerImage(IMAGE.blobs, ("linux/amd64",), ("linux/arm64",)),
            PACKAGES,
            "registry.internal/kolla/nova:1 for linux/arm64: see storage-images",
        ),
        (IMAGE, Unreadable("404", "", "EngineError"), "Packages: see storage-packages"),
    ],
)
def test_a_sum_without_what_is_missing_is_none(image: Any, packages: Any, unknown: str, tmp_path: Path) -> None:
    facts = {AskContainerImage: image, AskPackages: packages}
    enough = judged("storage-room", FACTORY % "50 B", tmp_path, facts)
    assert str(enough.status) == ("error" if unknown else "pass")
    assert enough.message == (f"could not tell: the size of {unknown}" if unknown else f"50 B for {enough.expected}")
    assert bool(enough.hint) == bool(unknown)
    short = judged("storage-room", FACTORY % "39 B", tmp_path, facts)
    assert str(short.status) == "fail"
    assert short.hint.startswith("add ")
