from dataclasses import replace
from typing import Any

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.engines.base import Disk
from diskimage_validator.facts import collect
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import only
from tests.support.memory_engine import TARGET, MemoryEngine

CHECK = CHECKS["disk-format"]
QCOW2 = images.disk()
RAW = replace(QCOW2, compat=None, compression=None)


def ask(rules: dict[str, Any], disk: Disk | None = QCOW2, image_format: str = "qcow2") -> list[Finding]:
    policy = images.policy(disk=rules)
    assert CHECK.asked(policy)
    with MemoryEngine(images.debian(), disk=disk, target=replace(TARGET, format=image_format)) as engine:
        return list(CHECK.run(Question(collect(engine, only=CHECK.needs), policy, pki.NOW)))


@pytest.mark.parametrize(
    ("rules", "subject", "status"),
    [
        ({"format": "qcow2"}, "format", Status.PASS),
        ({"format": "raw"}, "format", Status.FAIL),
        ({"compat": ["1.1"]}, "qcow2 version", Status.PASS),
        ({"compat": ["0.10"]}, "qcow2 version", Status.FAIL),
        ({"compression": ["zlib", "zstd"]}, "compression", Status.PASS),
        ({"compression": ["zlib"]}, "compression", Status.FAIL),
        ({"compression": ["none"]}, "compression", Status.FAIL),
    ],
)
def test_each_rule_has_its_choice(rules: dict[str, Any], subject: str, status: Status) -> None:
    finding = only(ask(rules))
    assert (finding.subject, finding.status) == (subject, status)
    assert ("qemu-img convert" in finding.hint) is (status is Status.FAIL)


def test_an_image_that_is_not_compressed_fails_where_it_should_be() -> None:
    finding = only(ask({"compression": ["zlib", "zstd"]}, replace(QCOW2, compression="none")))
    assert (finding.status, finding.actual) == (Status.FAIL, "none")


def test_a_raw_image_has_neither_version_nor_compression() -> None:
    rules = {"format": "raw", "compat": ["1.1"], "compression": ["zlib"]}
    assert [(finding.subject, finding.status) for finding in ask(rules, RAW, "raw")] == [("format", Status.PASS)]
    assert only(ask({**rules, "format": "qcow2"}, RAW, "raw")).status is Status.FAIL


def test_what_the_engine_does_not_know_could_not_be_told() -> None:
    assert only(ask({"compat": ["1.1"]}, replace(QCOW2, compat=None))).status is Status.ERROR


def test_a_target_without_a_disk_is_skipped() -> None:
    assert only(ask({"format": "qcow2"}, None)).status is Status.SKIP


def test_it_has_to_be_asked_for() -> None:
    assert not CHECK.asked(images.policy(disk={"min_free": "1 B"}))
