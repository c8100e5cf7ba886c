from pathlib import Path

import pytest

from airgap_image_factory.dib import PHASES, phase_of, tail


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("2026-11-22 19:50:01.123 | Running hooks from /tmp/dib_build.x/hooks/root.d", "root"),
        ("dib-run-parts Running /tmp/in_target.d/install.d/10-package", "install"),
        ("dib-run-parts Running /tmp/dib_build.x/hooks/cleanup.d/99-x", "cleanup"),
    ],
)
def test_lines_that_begin_a_phase(line: str, phase: str) -> None:
    assert phase_of(line) == PHASES[phase]


def test_conversion_is_a_phase() -> None:
    assert phase_of("2026-11-22 | Converting image using qemu-img convert") == "converting to qcow2"


def test_other_lines_begin_no_phase() -> None:
    assert phase_of("Setting up jq (1.6-2.1) ...") is None
    assert phase_of("dib-run-parts Running /tmp/in_target.d/environment.d/10-x") is None


def test_the_tail_of_a_log_leaves_shell_traces_out(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_text("first\nE: Unable to locate package skopeoo\n+ set -x\n2026-11-22 19:50:01.123 | ++ date\n\nlast\n")
    assert tail(log, 2) == "    E: Unable to locate package skopeoo\n    last"


def test_the_reason_of_an_element_is_shown_however_far_from_the_end_it_is(tmp_path: Path) -> None:
    log = tmp_path / "build.log"
    log.write_text("2026-11-22 19:50:01.123 | ERROR: the CA expired\n" + "Unmount /x\n" * 50)
    assert tail(log, 2).splitlines()[0].endswith("ERROR: the CA expired")
