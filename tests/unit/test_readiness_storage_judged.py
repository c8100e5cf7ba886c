"""Verdicts about the room for mirrors that a test cannot bring registries and file systems into."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.live.space import Space
from diskimage_validator.model import Finding
from diskimage_validator.readiness.asking import Ask, Evidence, Seen
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.facts.storage import (
    AskContainerImage,
    AskPackages,
    AskSpace,
    ContainerImage,
    PackageSet,
    Stored,
)

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


def judged(check: str, text: str, folder: Path, facts: Mapping[Any, Any]) -> Finding:
    """Return what ``check`` says where questions of each type, or one question, are answered by ``facts``."""
    factory = parse_factory(text, "factory.yaml", folder)
    asks: Iterator[Ask[Any]] = READINESS_CHECKS[check].asks(factory)
    seen = Seen({ask: Evidence(ask, facts[ask if ask in facts else type(ask)], "now") for ask in asks})
    (finding,) = READINESS_CHECKS[check].run(Question(factory, seen, datetime.now(UTC)))
    return finding


@pytest.mark.parametrize(
    ("image", "packages", "unknown"),
    [
        (IMAGE, PACKAGES, ""),
        (
            IMAGE,
            PackageSet(PACKAGES.files, missing=("absent-and-huge",)),
            "what is not in Packages: see storage-packages",
        ),
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


@pytest.mark.parametrize(
    ("node", "first", "second", "free"),
    [
        ("/", ("/dev/vda1", "/"), ("/dev/vda1", "/"), 30),
        ("/", ("/dev/vda1", "/"), ("/dev/vda1", "/srv/bound"), 30),
        ("/", ("/dev/vda1", "/"), ("/dev/vdb1", "/srv/mirror"), 60),
        ("/", ("tank/mirror", "/srv"), ("tank/mirror", "/srv/bound"), 30),
        ("/", ("tmpfs", "/tmp"), ("tmpfs", "/srv/ram"), 60),
        ("/", ("tmpfs", "/tmp"), ("tmpfs", "/tmp"), 30),
        ("ssh://ci@node", ("/dev/vda1", "/"), ("/dev/vda1", "/"), 60),
        ("ssh://ci@node", ("nfs.internal:/export", "/srv"), ("nfs.internal:/export", "/mnt"), 30),
        ("/", ("nfs.internal:/export", "/srv"), ("nfs.internal:/other", "/mnt"), 60),
    ],
)
def test_a_file_system_counts_once(
    node: str, first: tuple[str, str], second: tuple[str, str], free: int, tmp_path: Path
) -> None:
    mirrors = f"[{{path: /a}}, {{node: '{node}', path: /b}}]"
    text = FACTORY.replace("[{quota: %s}]", mirrors)
    spaces = {
        AskSpace("/", "/a"): Space("/a", first[1], first[0], 99, 30),
        AskSpace(node, "/b"): Space("/b", second[1], second[0], 99, 30),
    }
    finding = judged("storage-room", text, tmp_path, {AskContainerImage: IMAGE, AskPackages: PACKAGES, **spaces})
    assert finding.actual.startswith(f"{free} B (/a: 30 B free; /b: {'30 B free' if free == 60 else 'on the same'}")
    assert str(finding.status) == ("pass" if free == 60 else "fail")
