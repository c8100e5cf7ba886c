"""The command line, run as a whole over facts in a file; nothing is replaced."""

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from diskimage_validator import cli_console
from diskimage_validator.cli import run
from diskimage_validator.cli_console import Progress, guarded
from diskimage_validator.errors import TargetError
from diskimage_validator.facts import dump
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry

POLICY = "version: 1\nname: mine\npackages: {required: [skopeo]}\n"


@pytest.fixture
def facts(tree: dict[str, Entry], tmp_path: Path) -> str:
    # Certificates for tests are valid around a fixed day; the command judges by the clock, so give it a lasting one.
    lasting = pki.pem(pki.certificate("Lasting CA", end=pki.NOW + 100 * pki.YEAR))
    tree[images.ANCHOR] = lasting
    tree[images.BUNDLE] = lasting
    tree |= images.hash_links({"lasting-ca": lasting})
    return store(tree, tmp_path)


def store(tree: dict[str, Entry], folder: Path) -> str:
    path = folder / "facts.json"
    path.write_text(json.dumps(dump(facts_of(tree, disk=images.disk()))))
    return str(path)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(POLICY)
    return str(path)


def test_a_sound_image_ends_with_0(facts: str, policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--facts", facts, "--policy", policy]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASSED  memory.qcow2  against mine")


def test_findings_end_with_1(tree: dict[str, Entry], policy: str, tmp_path: Path) -> None:
    tree[images.STATUS] = images.stanza("jq")
    assert run(["validate", "--facts", store(tree, tmp_path), "--policy", policy]) == 1


def test_the_threshold_decides_what_a_finding_means(tree: dict[str, Entry], facts: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY.replace("skopeo", "buildah") + "severity: {packages-required: warning}\n")
    arguments = ["validate", "--facts", facts, "--policy", str(tmp_path / "p.yaml"), "--quiet"]
    assert run(arguments) == 1
    assert run([*arguments, "--threshold", "critical"]) == 0


def test_what_could_not_be_told_ends_with_3(tree: dict[str, Entry], policy: str, tmp_path: Path) -> None:
    del tree[images.STATUS]
    assert run(["validate", "--facts", store(tree, tmp_path), "--policy", policy]) == 3


def test_a_ca_of_the_command_line_is_asked_for(facts: str, policy: str, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    arguments = ["validate", "--facts", facts, "--policy", policy, "--quiet", "--ca", str(ca)]
    ca.write_bytes(pki.pem(pki.certificate("Lasting CA", end=pki.NOW + 100 * pki.YEAR)))
    assert run(arguments) == 0
    ca.write_bytes(pki.pem(pki.certificate("Another CA")))
    assert run(arguments) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["validate"], "Missing option '--policy'"),
        (["validate", "--policy", "minimal"], "name either a TARGET or --facts FILE"),
        (["validate", "x", "--facts", "y", "--policy", "minimal"], "name either a TARGET or --facts FILE"),
        (["validate", "/nonesuch.qcow2", "--policy", "minimal"], "/nonesuch.qcow2: no such file"),
        (["validate", "x", "--policy", "nonesuch"], "no policy 'nonesuch'"),
        (["validate", "x", "--policy", "minimal", "--ca", "/nonesuch"], "cannot read CA file /nonesuch"),
        (["validate", "x", "--policy", "minimal", "--report", "pdf=x"], "--report pdf=x: write FORMAT=FILE"),
        (["validate", "x", "--policy", "minimal", "--report", "json"], "--report json: write FORMAT=FILE"),
        (["validate", "x", "--policy", "minimal", "--format", "pdf"], "'pdf' is not one of"),
        (["inspect", "x", "--part", "os", "--format", "cyclonedx"], "--part has no format cyclonedx"),
        (["inspect", "x", "--output", "/nonesuch/r"], "cannot write /nonesuch/r"),
        (["validate", "--facts", "/nonesuch", "--policy", "minimal"], "cannot read facts /nonesuch"),
        (["inspect", "/nonesuch.qcow2"], "no such file"),
        (["policy", "show", "nonesuch"], "no policy 'nonesuch'"),
        (["policy", "check", "/nonesuch.yaml"], "cannot read policy"),
        (["frobnicate"], "No such command"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_message(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err


def test_a_bad_policy_shows_all_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\nnam: x\npackages: {required: [a b]}\n")
    assert run(["policy", "check", str(tmp_path / "p.yaml")]) == 2
    assert capsys.readouterr().err.count("\n  line ") == 3


def test_reports_go_to_files_and_the_first_one_to_stdout(
    facts: str, policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    json_file, junit_file = tmp_path / "r.json", tmp_path / "r.xml"
    reports = ["--report", f"json={json_file}", "--report", f"junit={junit_file}"]
    assert run(["validate", "--facts", facts, "--policy", policy, *reports]) == 0
    assert json.loads(json_file.read_text())["verdict"]["exit_status"] == 0
    assert ET.parse(junit_file).getroot().tag == "testsuites"
    assert "PASSED" in capsys.readouterr().out


def test_a_target_may_be_called_otherwise(facts: str, policy: str, tmp_path: Path) -> None:
    report, bom = tmp_path / "report.json", tmp_path / "bom.json"
    arguments = ["validate", "--facts", facts, "--policy", policy, "--name", "root of node"]
    assert run([*arguments, "--report", f"json={report}", "--report", f"cyclonedx={bom}"]) == 0
    assert json.loads(report.read_text())["target"]["name"] == "root of node"
    assert "root of node" in bom.read_text()


def test_a_file_is_written_whole_with_the_usual_mode(facts: str, policy: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    arguments = ["validate", "--facts", facts, "--policy", policy, "--format", "json"]
    assert run([*arguments, "--output", str(folder / "r.json")]) == 0
    assert [path.name for path in folder.iterdir()] == ["r.json"]
    usual = tmp_path / "usual"
    usual.touch()
    assert (folder / "r.json").stat().st_mode == usual.stat().st_mode


def test_a_file_that_cannot_be_written_is_an_error(facts: str, policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--facts", facts, "--policy", policy, "--output", "/nonesuch/r.txt"]) == 2
    assert "cannot write /nonesuch/r.txt: No such file or directory" in capsys.readouterr().err


def test_an_unwritable_report_is_found_before_anything_is_read(
    policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", "/nonesuch.qcow2", "--policy", policy, "--report", f"json={tmp_path / 'r.json'}"]
    for path, reason in (("/nonesuch/r.xml", "No such file or directory"), (str(tmp_path), "Is a directory")):
        assert run([*arguments, "--report", f"junit={path}"]) == 2
        assert capsys.readouterr().err == f"error: cannot write {path}: {reason}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.yaml"}


def test_two_reports_in_one_file_are_refused(policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reports = ["--report", f"json={tmp_path}/r", "--report", f"junit={tmp_path}/./r"]
    assert run(["validate", "/nonesuch.qcow2", "--policy", policy, *reports]) == 2
    assert "two reports would go to" in capsys.readouterr().err


def test_a_report_that_fails_late_leaves_the_others(
    tree: dict[str, Entry], policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del tree[images.STATUS]  # no bill of materials without packages
    reports = ["--report", f"cyclonedx={tmp_path / 'bom.json'}", "--report", f"json={tmp_path / 'r.json'}"]
    assert run(["validate", "--facts", store(tree, tmp_path), "--policy", policy, *reports]) == 3
    assert json.loads((tmp_path / "r.json").read_text())["verdict"]["exit_status"] == 3
    assert not (tmp_path / "bom.json").exists()
    assert "error: no package database" in capsys.readouterr().err


def test_a_device_is_written_and_not_replaced(facts: str, policy: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    reports = ["--report", f"json={pipe}", "--report", "text=/dev/null", "--output", "/dev/null"]
    assert run(["validate", "--facts", facts, "--policy", policy, *reports]) == 0
    assert json.loads(os.read(reader, 1_000_000))["verdict"]["exit_status"] == 0
    os.close(reader)
    assert pipe.is_fifo()
    assert Path("/dev/null").is_char_device()


def test_an_image_s_bill_of_materials_can_be_inspected_and_reported(tree: dict[str, Entry], tmp_path: Path) -> None:
    folder = tmp_path / "root"
    for path in (images.STATUS, images.ANCHOR, images.BUNDLE, "/usr/lib/os-release"):
        content = tree[path]
        target = folder / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    inspected, reported = tmp_path / "inspected.json", tmp_path / "reported.json"
    assert run(["inspect", f"dir:{folder}", "--format", "cyclonedx", "--output", str(inspected)]) == 0
    (tmp_path / "p.yaml").write_text("version: 1\nname: os only\ncertificates: {anchors: false}\n")
    arguments = ["validate", f"dir:{folder}", "--policy", str(tmp_path / "p.yaml"), "--quiet"]
    run([*arguments, "--report", f"cyclonedx={reported}"])
    documents = [json.loads(path.read_text()) for path in (inspected, reported)]
    assert documents[0]["components"] == documents[1]["components"]
    assert documents[0]["serialNumber"] == documents[1]["serialNumber"]


def test_all_shows_every_pass(facts: str, policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", "--facts", facts, "--policy", policy, "--all"]) == 0
    assert "skopeo: skopeo 1.9.3+ds1-1+b1 is installed" in capsys.readouterr().out


def test_a_failed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text("old")

    def write() -> None:
        with cli_console.output(str(path)) as stream:
            stream.write("new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("r.txt", "old")]


def test_quiet_leaves_the_verdict(facts: str, policy: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["validate", "--facts", facts, "--policy", policy, "--quiet"])
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert captured.err == ""


def test_shipped_policies_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "list"]) == 0
    assert "container-node" in capsys.readouterr().out
    assert run(["policy", "show", "minimal"]) == 0
    assert "name: minimal" in capsys.readouterr().out


def test_a_shown_policy_can_be_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["policy", "show", "container-node"])
    (tmp_path / "mine.yaml").write_text(capsys.readouterr().out)
    assert run(["policy", "check", str(tmp_path / "mine.yaml")]) == 0
    assert "container-node is in order" in capsys.readouterr().out


def test_elements_path_prints_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["elements-path"]) == 0
    assert Path(capsys.readouterr().out.strip()).is_dir()


@pytest.mark.parametrize("arguments", [["--help"], ["validate", "--help"], ["--version"]])
def test_help_and_version_end_with_0(arguments: list[str]) -> None:
    assert run(arguments) == 0


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (TargetError("bad\x1b[2J", "mend it"), 3, "error: bad\\x1b[2J\nhint: mend it\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ZeroDivisionError("oops"), 3, "error: internal error: ZeroDivisionError: oops\n"),
    ],
)
def test_whatever_is_raised_becomes_a_message_and_a_status(
    error: BaseException, status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> int:
        raise error

    assert guarded(fail) == status
    assert capsys.readouterr().err.startswith(message)


def test_ctrl_c_during_a_command_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("diskimage_validator.cli.inspect.inspect", interrupt)
    assert run(["inspect", "x"]) == 130


def test_a_reader_that_goes_away_does_not_change_the_verdict(
    tree: dict[str, Entry], policy: str, tmp_path: Path
) -> None:
    tree[images.STATUS] = images.stanza("jq")
    arguments = ["validate", "--facts", store(tree, tmp_path), "--policy", policy]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "diskimage_validator", *arguments], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_terminal_without_utf8_gets_escapes(facts: str, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("version: 1\nname: Prüfung\n")
    done = subprocess.run(
        [sys.executable, "-m", "diskimage_validator", "validate", "--facts", facts, "--policy", tmp_path / "p.yaml"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Pr\\xfcfung" in done.stdout


def test_progress_is_silent_for_short_steps(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress() as progress:
        progress("reading")
    assert capsys.readouterr().err == ""


def test_progress_tells_of_long_steps(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli_console, "PATIENCE", 0.01)
    with Progress() as progress:
        progress("reading \x1b")
        time.sleep(0.2)
    assert capsys.readouterr().err == "reading \\x1b ...\n"


def test_quiet_progress_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli_console, "PATIENCE", 0.01)
    with Progress(quiet=True) as progress:
        progress("reading")
        time.sleep(0.1)
    assert capsys.readouterr().err == ""
