"""Data for zuul_return: warnings that fit on a page, links to the other reports, the verdict for other jobs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.cli import run
from diskimage_validator.facts import dump
from diskimage_validator.model import Finding, Result, Severity, Status
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry
from tests.support.reports import broken, hostile, made, sound, unreadable, waived, written


def test_failures_are_warnings_worst_first(tree: dict[str, Entry]) -> None:
    finding = Finding("s", Status.FAIL, "m", path="/etc/pip.conf", line=3)
    report = made(Result("one", Severity.INFO, finding), Result("two", Severity.CRITICAL, finding))
    warnings = json.loads(written(report, "zuul"))["zuul"]["warnings"]
    assert warnings == ["two, critical: s: m (/etc/pip.conf:3)", "one, info: s: m (/etc/pip.conf:3)"]
    assert len(json.loads(written(broken(tree), "zuul"))["zuul"]["warnings"]) == 5


def test_a_sound_image_has_no_warning_and_a_verdict(tree: dict[str, Entry]) -> None:
    data = json.loads(written(sound(tree), "zuul"))
    assert data["zuul"] == {"warnings": [], "artifacts": []}
    assert data["diskimage_validator"]["verdict"] == "passed"
    assert data["diskimage_validator"]["sha256"] == "ab" * 32


def test_what_could_not_be_told_and_expired_waivers_are_warnings(tree: dict[str, Entry]) -> None:
    (warning,) = json.loads(written(unreadable(tree), "zuul"))["zuul"]["warnings"]
    assert warning.startswith("packages-required, could not tell: ")
    warnings = json.loads(written(waived(tree), "zuul"))["zuul"]["warnings"]
    assert warnings == [
        "disk, info: virtual size: 12.0 GiB, but at most 10.0 GiB is asked for",
        "waiver expired on 2026-05-01: disk, *",
    ]


def test_there_are_never_too_many_or_too_long_ones(tree: dict[str, Entry]) -> None:
    results = [Result("os", Severity.INFO, Finding("s" * 1000, Status.FAIL, "m"))] * 80
    warnings = json.loads(written(made(*results), "zuul"))["zuul"]["warnings"]
    assert len(warnings) == 51
    assert warnings[-1] == "and 30 more findings: see the report"
    assert max(len(warning) for warning in warnings) <= 400
    for warning in json.loads(written(hostile(tree), "zuul"))["zuul"]["warnings"]:
        assert warning.isprintable()


@pytest.mark.parametrize("folder", ["", "reports"])
def test_the_other_reports_are_artifacts_with_relative_links(
    tree: dict[str, Entry], tmp_path: Path, folder: str
) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(json.dumps(dump(facts_of(tree))))
    (tmp_path / "logs" / folder).mkdir(parents=True)
    files = {name: tmp_path / "logs" / folder / f"r.{name}" for name in ("json", "cyclonedx")}
    reports = [f"--report={name}={path}" for name, path in files.items()]
    reports += [f"--report=zuul={tmp_path / 'logs/zuul.json'}", f"--report=junit={tmp_path / 'elsewhere.xml'}"]
    run(["validate", "--facts", str(facts), "--policy", "minimal", "--quiet", *reports])
    artifacts = json.loads((tmp_path / "logs/zuul.json").read_text())["zuul"]["artifacts"]
    assert {artifact["metadata"]["format"]: artifact["url"] for artifact in artifacts} == {
        name: str(path.relative_to(tmp_path / "logs")) for name, path in files.items()
    }
    assert artifacts[0]["metadata"] == {
        "type": "image_validation_report",
        "format": "json",
        "image_sha256": "ab" * 32,
    }


def test_a_target_without_a_hash_is_told_as_such(tree: dict[str, Entry]) -> None:
    report = sound(tree)
    report = replace(report, target=replace(report.target, sha256=None))
    assert json.loads(written(report, "zuul"))["diskimage_validator"]["sha256"] == ""
