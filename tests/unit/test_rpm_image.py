"""A sound image of the RHEL family passes what is shipped, whichever format its package database has."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.facts import Facts, collect, dump, known, replay
from diskimage_validator.facts.packages import Packages
from diskimage_validator.model import Report, Status
from diskimage_validator.policy import load_policy
from diskimage_validator.policy_model import Policy, TrustedCa
from diskimage_validator.runner import run_checks
from tests.support import pki, rpm_images, rpm_packages
from tests.support.memory_engine import MemoryEngine

pytestmark = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="RPM makes the packages: install rpm")
BACKENDS = [
    "sqlite",
    "ndb",
    pytest.param("bdb", marks=pytest.mark.skipif(not shutil.which("db_load"), reason="install db-util")),
]


def shipped_policy() -> Policy:
    internal = pki.certificate("Internal CA")
    return replace(load_policy("container-node"), trusted=(TrustedCa(pki.sha256(internal), "CN=Internal CA", "test"),))


def facts_of(engine: Engine) -> Facts:
    rules = shipped_policy().rules
    with engine:
        return collect(engine, commands=rules.commands.names, files=rules.files.paths)


def verdict(facts: Facts) -> Report:
    return run_checks(shipped_policy(), facts, now=pki.NOW)


def wrong(report: Report) -> list[str]:
    """Return what does not pass."""
    return [
        f"{result.status}: {result.check}: {result.finding.subject}: {result.finding.message}"
        for result in report.results
        if result.status not in (Status.PASS, Status.SKIP)
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_sound_image_passes_the_shipped_policy(backend: str) -> None:
    report = verdict(facts_of(MemoryEngine(rpm_images.rhel(backend), disk=rpm_images.disk())))
    assert wrong(report) == []
    assert report.exit_status() == 0


def test_it_does_so_as_a_folder_too(tmp_path: Path) -> None:
    report = verdict(facts_of(DirectoryEngine(rpm_images.lay_out(rpm_images.rhel(), tmp_path))))
    assert wrong(report) == []


def test_the_record_of_its_build_agrees_with_it() -> None:
    report = verdict(facts_of(MemoryEngine(rpm_images.rhel() | rpm_images.record(), disk=rpm_images.disk())))
    assert wrong(report) == []
    assert {result.finding.subject for result in report.results if result.check == "provenance"} == {
        "record",
        "packages",
        "CAs",
    }


def packages_of(backend: str) -> Packages:
    return known(facts_of(MemoryEngine(rpm_images.rhel(backend))).packages)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_packages_are_those_that_rpm_installed(backend: str) -> None:
    found = packages_of(backend)
    told = {one.name: one.version + "/noarch" * (one.architecture == "noarch") for one in found.installed}
    assert told == rpm_packages.PACKAGES
    assert all(one.rpm and one.rpm.vendor == rpm_packages.VENDOR for one in found.installed)
    assert replace(found, path="") == replace(packages_of("sqlite"), path="")


def test_the_facts_come_back_from_json() -> None:
    facts = facts_of(MemoryEngine(rpm_images.rhel()))
    assert replay(json.dumps(dump(facts))) == facts
