import os
from pathlib import Path

import pytest

from airgap_image_factory.gate.log import BuildLog

STAMP = "2026-11-23 07:04:24.624 | "


def told(*lines: str, status: int = 1) -> str:
    log = BuildLog(None, {})
    for line in lines:
        log.passes(f"{line}\n")
    return log.reason(status)


def test_lines_are_passed_on_as_they_are_and_ours_look_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    log = BuildLog(None, {})
    log.passes(f"{STAMP}Copying hooks\n")
    log.say("validating\nnode.qcow2")
    first, second, third = capfd.readouterr().out.splitlines()
    assert first == f"{STAMP}Copying hooks"
    assert second.endswith(" | validating")
    assert third.endswith(" | node.qcow2")
    assert len(second.split(" | ")[0]) == len(STAMP) - 3


def test_without_time_stamps(capfd: pytest.CaptureFixture[str]) -> None:
    BuildLog(None, {"DIB_NO_TIMESTAMP": "1"}).say("validating")
    assert capfd.readouterr().out == "validating\n"


@pytest.mark.parametrize(("quiet", "shown"), [({}, ""), ({"DIB_QUIET": "0"}, "x\n"), ({"DIB_QUIET": "1"}, "")])
def test_a_log_file_takes_standard_outputs_place(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], quiet: dict[str, str], shown: str
) -> None:
    log = BuildLog(tmp_path / "log", {"DIB_NO_TIMESTAMP": "1", **quiet})
    log.say("x")
    assert capfd.readouterr().out == shown
    assert (tmp_path / "log").read_text().endswith(" | x\n")
    log.say_last("the\nlast")
    seen = capfd.readouterr()
    assert "the last\n" in seen.out + seen.err


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["ERROR: the CA expired", "Unmount /x", "Unmount /y"], "ERROR: the CA expired"),
        (["E: Unable to locate package x", "Unmount /x"], "E: Unable to locate package x"),
        (["mv: error writing 'x': No space left on device", "ERROR: x"], "disk full: mv: error writing"),
        (["line 3: 17 Killed   apt-get", "ERROR: x"], "a process was killed, out of memory perhaps: line 3"),
        (["++ rm -f No space left on device", "something odd", "Unmount /x", ""], "something odd"),
        ([], "disk-image-create ended with status 1"),
    ],
)
def test_the_reason_of_a_failure(lines: list[str], reason: str) -> None:
    assert told(*(f"{STAMP}{line}" for line in lines)).startswith(reason)


def test_a_killed_process_is_seen_by_its_status() -> None:
    assert told("Unmount /x", status=137) == "a process was killed (SIGKILL), out of memory perhaps"


def test_the_reason_is_read_from_the_log_file_where_there_is_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(f"{STAMP}ERROR: x\n")
    assert BuildLog(tmp_path / "log", {}).reason(1) == "ERROR: x"


def test_a_reader_that_has_gone_is_noticed() -> None:
    reading, writing = os.pipe()
    kept = os.dup(1)
    try:
        os.dup2(writing, 1)
        os.close(writing)
        os.close(reading)
        log = BuildLog(None, {})
        log.say("x")
        assert not log.is_heard
    finally:
        os.dup2(kept, 1)
        os.close(kept)
