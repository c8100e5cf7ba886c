"""Reports are held against golden files ``<case>.<exit status>.<format>``; ``--update-golden`` writes them."""

import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.model import Finding, Result, Severity, Status
from diskimage_validator.reports import FACT_WRITERS, WRITERS
from diskimage_validator.reports.text_report import write_all
from diskimage_validator.reports.verdict_line import write_verdict
from tests.support import images
from tests.support.memory_engine import Entry
from tests.support.reports import CASES, broken, hostile, made, sound, unreadable, waived, written

GOLDEN = Path(__file__).parents[1] / "golden"
FORMATS = [name for name in WRITERS if name != "sarif"]
"""SARIF has the checks' explanations in it, which may change; its own tests hold it against its schema."""


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("case", CASES)
def test_reports_are_as_they_were(case: str, name: str, tree: dict[str, Entry], request: pytest.FixtureRequest) -> None:
    report = CASES[case](tree)
    text = written(report, name)
    path = GOLDEN / f"{case}.{report.exit_status()}.{name}"
    if request.config.getoption("--update-golden"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "if this is meant: pytest --update-golden"


def test_no_golden_file_is_left_over(tree: dict[str, Entry]) -> None:
    expected = {
        f"{case}.{make(images.debian()).exit_status()}.{name}" for case, make in CASES.items() for name in FORMATS
    }
    assert {path.name for path in GOLDEN.iterdir() if path.name.split(".")[0] in CASES} == expected


@pytest.mark.parametrize("case", CASES)
def test_text_has_no_control_characters(case: str, tree: dict[str, Entry]) -> None:
    text = written(CASES[case](tree), "text")
    assert text.replace("\n", "").isprintable()


def test_the_verdict_is_the_last_line(tree: dict[str, Entry]) -> None:
    assert written(broken(tree), "text").splitlines()[-1].startswith("FAILED  memory.qcow2  against test: ")


def test_plain_text_is_not_wrapped(tree: dict[str, Entry]) -> None:
    assert max(len(line) for line in written(broken(tree), "text").splitlines()) > 100


def test_failures_come_first_and_a_passed_check_is_one_line(tree: dict[str, Entry]) -> None:
    lines = written(broken(tree), "text").splitlines()
    failed = next(index for index, line in enumerate(lines) if line.startswith("  FAIL"))
    passed = next(index for index, line in enumerate(lines) if line.startswith("  PASS    os "))
    assert failed < passed
    assert lines[passed].endswith("distribution: the distribution is Debian GNU/Linux 12 (bookworm)")
    assert "  PASS    architecture  2 passed" in lines


def test_what_passed_in_a_check_that_failed_is_a_number(tree: dict[str, Entry]) -> None:
    section = written(broken(tree), "text").partition("Required packages")[2].partition("\n\n")[0]
    assert section.count("FAIL") == 2
    assert section.endswith("  PASS    1 more")


def test_everything_can_be_asked_for(tree: dict[str, Entry]) -> None:
    report, stream = broken(tree), io.StringIO()
    write_all(report, stream, Severity.WARNING)
    assert stream.getvalue().count("  PASS    ") == report.count(Status.PASS)
    assert "jq: jq 1.0 is installed" in stream.getvalue()
    assert " more" not in stream.getvalue()


def test_checks_that_were_not_asked_for_are_one_line(tree: dict[str, Entry]) -> None:
    text = written(waived(tree), "text")
    assert "not asked for: architecture, commands-required\n" in text
    assert text.count("commands-required") == 1
    assert "skipped" not in text


def test_a_waived_failure_says_until_when_and_why(tree: dict[str, Entry]) -> None:
    text = written(waived(tree), "text")
    assert "  WAIVED  CN=Old CA: " in text
    assert "waiver:   until 2026-09-01: renewed with the next release\n" in text
    assert "file:     /usr/local/share/ca-certificates/old.crt:1\n" in text


def test_waivers_are_listed_in_every_state(tree: dict[str, Entry]) -> None:
    text = written(waived(tree), "text")
    assert "  active   ca-anchors, CN=Old*: 1 failure, until 2026-09-01\n" in text
    assert "  expired  disk, *: 1 failure, since 2026-05-01\n" in text
    assert "  unused   os, *: 0 failures, until 2026-12-01\n" in text


def test_what_is_most_severe_comes_first() -> None:
    finding = Finding("s", Status.FAIL, "m")
    results = [Result(check, Severity(check), finding) for check in ("info", "critical", "warning")]
    titles = re.findall(r"^(\w+)  \(", written(made(*results), "text"), re.MULTILINE)
    assert titles == ["critical", "warning", "info"]


def test_failures_below_the_threshold_are_told(tree: dict[str, Entry]) -> None:
    stream = io.StringIO()
    finding = Finding("s", Status.FAIL, "m")
    report = replace(sound(tree), results=(Result("disk", Severity.INFO, finding),))
    write_verdict(report, stream, Severity.WARNING)
    assert "failures are below the threshold, warning" in stream.getvalue()


def test_json_is_the_whole_report(tree: dict[str, Entry]) -> None:
    report = broken(tree)
    told = json.loads(written(report, "json"))
    assert told.pop("verdict") == {"threshold": "warning", "exit_status": 1}
    assert told == report.as_dict()


def test_junit_counts_failures_errors_and_skipped(tree: dict[str, Entry]) -> None:
    tree[images.BUNDLE] = b""
    report = unreadable(tree)
    root = ET.fromstring(written(report, "junit"))
    assert root.tag == "testsuites"
    kinds = {"failures": Status.FAIL, "errors": Status.ERROR}
    assert {kind: int(root.attrib[kind]) for kind in kinds} == {kind: report.count(kinds[kind]) for kind in kinds}
    asked = [result for result in report.results if result.asked]
    assert int(root.attrib["tests"]) == len(asked)


def test_junit_shows_a_waived_failure_as_skipped(tree: dict[str, Entry]) -> None:
    root = ET.fromstring(written(waived(tree), "junit"))
    (case,) = root.findall("testsuite/testcase[@name='CN=Old CA']/skipped")
    assert case.attrib["message"].startswith("waived until 2026-09-01: renewed with the next release: /usr/local")
    assert root.attrib["failures"] == "1"


def test_junit_is_the_same_without_lxml(tree: dict[str, Entry]) -> None:
    code = (
        "import sys; sys.modules['lxml'] = None\n"
        "from tests.support import images, reports\n"
        "print(reports.written(reports.hostile({}), 'junit') + reports.written(reports.waived({}), 'junit'), end='')"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert done.stdout.decode() == written(hostile(tree), "junit") + written(waived(tree), "junit")


def test_junit_is_valid_xml_whatever_the_image_says(tree: dict[str, Entry]) -> None:
    root = ET.fromstring(written(hostile(tree), "junit").encode())
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.attrib["name"].startswith("\\x1b[2J\\x00\\u202e<b>")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_gets_colours_and_a_hanging_indent(
    tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    WRITERS["text"](broken(tree), stream, Severity.WARNING)
    assert "\x1b[1;31mFAIL" in stream.getvalue()
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in stream.getvalue().splitlines()]
    assert max(len(line.rstrip()) for line in lines) <= 60
    start = next(index for index, line in enumerate(lines) if line.startswith("  FAIL    CN=Internal CA: "))
    assert lines[start + 1].startswith(" " * 10 + "/usr/local/share")


def test_a_hostile_image_sends_no_escape_to_a_terminal(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    WRITERS["text"](hostile(tree), stream, Severity.WARNING)
    left = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert left.replace("\n", "").isprintable()


def test_every_format_is_documented() -> None:
    text = (Path(__file__).parents[2] / "doc/source/reports.rst").read_text(encoding="utf-8")
    for name in (*WRITERS, *FACT_WRITERS):
        assert f"\n``{name}``  " in text


def test_no_writer_costs_anything_before_it_writes() -> None:
    code = "import sys, diskimage_validator.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not {"jinja2", "cyclonedx", "junitparser", "lxml"} & set(done.stdout.split())
