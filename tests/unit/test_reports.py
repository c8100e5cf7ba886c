"""Reports are held against golden files ``<case>.<exit status>.<format>``; ``--update-golden`` writes them."""

import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.doctor import Diagnosis
from diskimage_validator.model import Finding, Report, Result, Severity, Status, TargetInfo
from diskimage_validator.policy_model import Policy, TrustedCa
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.diagnosis import write_diagnoses
from diskimage_validator.reports.inspection import INSPECTION_WRITERS
from diskimage_validator.reports.text_report import write_verdict
from diskimage_validator.runner import run_checks
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Broken, Entry, Link

GOLDEN = Path(__file__).parents[1] / "golden"
RULES = images.rules(
    os={"any": [{"id": "debian", "versions": ["12", "13"]}]},
    packages={"required": ["docker.io | podman", "skopeo (>= 1.9)", "jq"]},
    commands={"required": ["docker | podman", "skopeo", "jq"]},
    disk={"max_virtual_size": "10 GiB", "partition_table": ["mbr", "gpt"]},
)
CA_DIGEST = "c0ffee" + "0" * 58
HOSTILE = '\x1b[2J\x00\u202e<b>&"]]>\udcff\ufffe'


def report_on(tree: dict[str, Entry], trusted: tuple[TrustedCa, ...] = ()) -> Report:
    facts = facts_of(tree, disk=images.disk())
    report = run_checks(Policy(RULES, trusted), facts, now=pki.NOW)
    return replace(report, duration=1.25, tool_version="1.2.3", policy_digest="d" * 64, notes=("no KVM: slow",))


def sound(tree: dict[str, Entry]) -> Report:
    return report_on(tree)


def broken(tree: dict[str, Entry]) -> Report:
    tree[images.BUNDLE] = pki.pem(pki.certificate("Public Root"))
    tree[images.STATUS] = images.stanza("jq") + "\n" + images.stanza("skopeo", status="deinstall ok config-files")
    tree["/usr/bin/podman"] = Link("/opt/podman")
    return report_on(tree, (TrustedCa(CA_DIGEST, "CN=Corporate CA", "policy"),))


def unreadable(tree: dict[str, Entry]) -> Report:
    tree[images.STATUS] = Broken()
    return report_on(tree)


def hostile(_: dict[str, Entry]) -> Report:
    finding = Finding(HOSTILE, Status.FAIL, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
    target = TargetInfo(f"/srv/{HOSTILE}.qcow2", "disk-image")
    results = (
        Result("os", Severity.CRITICAL, finding),
        Result("disk", Severity.INFO, replace(finding, subject="[red]x[/]")),
    )
    return Report(target, HOSTILE, "d" * 64, "memory", "1.2.3", "2026-06-01T12:00:00+00:00", 0, results, (HOSTILE,))


CASES: dict[str, Callable[[dict[str, Entry]], Report]] = {
    "sound": sound,
    "broken": broken,
    "unreadable": unreadable,
    "hostile": hostile,
}


def written(report: Report, name: str) -> str:
    stream = io.StringIO()
    WRITERS[name](report, stream, Severity.WARNING)
    return stream.getvalue()


@pytest.mark.parametrize("name", WRITERS)
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
        f"{case}.{make(images.debian()).exit_status()}.{name}" for case, make in CASES.items() for name in WRITERS
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
    kinds = {"failures": Status.FAIL, "errors": Status.ERROR, "skipped": Status.SKIP}
    assert {kind: int(root.attrib[kind]) for kind in kinds} == {kind: report.count(kinds[kind]) for kind in kinds}
    assert int(root.attrib["tests"]) == len(report.results)


def test_junit_is_valid_xml_whatever_the_image_says(tree: dict[str, Entry]) -> None:
    root = ET.fromstring(written(hostile(tree), "junit").encode())
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.attrib["name"].startswith("\\x1b[2J\\x00\\u202e<b>")


def test_an_inspection_shows_what_a_person_asks_for(tree: dict[str, Entry]) -> None:
    stream = io.StringIO()
    INSPECTION_WRITERS["text"](facts_of(tree, disk=images.disk()), stream)
    text = stream.getvalue()
    for expected in (
        "Debian GNU/Linux 12 (bookworm)",
        "6.1.0-28-amd64",
        "x86_64",
        "ext4, on /",
        "5 (dpkg; 0 more known",
        "1.9.3+ds1-1+b1",
        "CN=Internal CA",
        "2025-06-01 to 2027-06-01, CA:TRUE",
        pki.sha256(pki.certificate("Internal CA")),
    ):
        assert expected in text


def test_an_inspection_says_what_could_not_be_read() -> None:
    stream = io.StringIO()
    INSPECTION_WRITERS["text"](facts_of({}), stream)
    assert "could not be read: no operating system" in stream.getvalue()
    assert "could not be read: no package database" in stream.getvalue()


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
    start = next(index for index, line in enumerate(lines) if line.startswith("  FAIL   CN=Internal CA: "))
    assert lines[start + 1].startswith(" " * 9 + "/usr/local/share")


def test_a_hostile_image_sends_no_escape_to_a_terminal(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    WRITERS["text"](hostile(tree), stream, Severity.WARNING)
    left = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert left.replace("\n", "").isprintable()


def test_doctor_says_which_engine_works_and_what_mends_it() -> None:
    found = [
        Diagnosis("guestfs", "QEMU", ok=True, message="/usr/bin/qemu"),
        Diagnosis("guestfs", "kernel", ok=False, message="not readable", remedy="chmod 0644 it"),
        Diagnosis("direct", "QEMU", ok=True, message="/usr/bin/qemu"),
    ]
    stream = io.StringIO()
    assert write_diagnoses(found, stream)
    assert "engine guestfs  does not work" in stream.getvalue()
    assert "remedy: chmod 0644 it" in stream.getvalue()
    assert "This host can read disk images (direct)." in stream.getvalue()
    assert not write_diagnoses(found[:2], stream)
