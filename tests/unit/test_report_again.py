"""A JSON report becomes the other reports later, with the same words, and without the image."""

import json
from pathlib import Path

import pytest

from diskimage_validator.cli import run
from diskimage_validator.model import Finding, Result, Severity, Status
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.json_reader import read_report
from tests.support.memory_engine import Entry
from tests.support.reports import CASES, broken, made, sound, written

TEXTS = [name for name in WRITERS if name != "html"]
"""The HTML report has the time of its making in it."""
SURROGATE, SURROGATE_TEXT = r"\udcff", r"\\udcff"
"""Half a character, which stays visible as text."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", TEXTS)
def test_every_report_is_what_it_would_have_been(
    tree: dict[str, Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, name: str
) -> None:
    report = CASES[case](tree)
    expected = written(report, name)
    path = tmp_path / "report.json"
    path.write_text(written(report, "json"))
    assert run(["report", str(path), "--format", name]) == report.exit_status()
    got, expected = (text.replace(SURROGATE_TEXT, SURROGATE) for text in (capsys.readouterr().out, expected))
    assert (json.loads(got) == json.loads(expected)) if name == "json" else (got == expected)


def test_reading_loses_nothing(tree: dict[str, Entry]) -> None:
    report = CASES["waived"](tree)
    again, threshold = read_report(written(report, "json").encode(), "report.json")
    assert again == report
    assert threshold == "warning"


def test_what_was_asked_over_a_network_keeps_its_evidence() -> None:
    tried, when = "192.0.2.53:53: DNS, A and AAAA of zuul.internal", "2026-11-23T07:15:03+00:00"
    finding = Finding("zuul.internal", Status.FAIL, "does not resolve", tried=tried, when=when)
    report = made(Result("dns-names", Severity.CRITICAL, finding))
    again, _ = read_report(written(report, "json").encode(), "readiness.json")
    assert again == report
    assert f"tried:    {tried}\n          when:     {when}\n" in written(again, "text")


def test_the_verdict_is_the_exit_status_and_reports_go_to_files(tree: dict[str, Entry], tmp_path: Path) -> None:
    path, output = tmp_path / "report.json", tmp_path / "zuul.json"
    path.write_text(written(broken(tree), "json"))
    options = ["--format", "zuul", "--output", str(output), "--report", f"html={tmp_path / 'report.html'}"]
    assert run(["report", str(path), *options]) == 1
    data = json.loads(output.read_text())
    assert data["diskimage_validator"]["verdict"] == "failed"
    assert [artifact["url"] for artifact in data["zuul"]["artifacts"]] == ["report.html"]
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_what_needs_the_image_is_not_made_from_a_report(
    tree: dict[str, Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    path.write_text(written(sound(tree), "json"))
    assert run(["report", str(path), "--report", f"cyclonedx={tmp_path / 'bom.json'}"]) == 2
    assert "cyclonedx is not made from a report" in capsys.readouterr().err
