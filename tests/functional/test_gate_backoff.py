"""Nodepool starts a failed build anew every ten seconds; the gate does not build again what cannot pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.gate import Ended, GateRunner
from tests.functional.tiny import POLICY

BUILT = "Building elements"


@pytest.fixture
def gate(tmp_path: Path) -> GateRunner:
    return GateRunner(tmp_path)


def command(gate: GateRunner, *arguments: str) -> str:
    line = [sys.executable, "-m", "airgap_image_factory", "gate", *arguments]
    return subprocess.check_output(line, text=True, env={**os.environ, **gate.variables})


def test_an_image_that_cannot_be_read_goes_when_there_is_a_new_verdict(gate: GateRunner) -> None:
    """It holds nothing back, for the cause may be gone by then; but whole images must not pile up."""
    unreadable = {"DIB_GATE_ENGINE": "guestfs", "LIBGUESTFS_PATH": "/nonexistent", "DIB_IMAGE_NAME": "image"}
    for base in ("image-1", "image-2"):
        done = gate(base=base, **unreadable)
        assert (done.status, BUILT in done.log) == (3, True)
        assert (gate.images / f"{base}.d/rejected/{base}.qcow2").exists()
        assert [path.name for path in gate.images.iterdir()] == [f"{base}.d"]
        assert "no image is held back" in command(gate, "status")
    assert gate(base="image-3", DIB_IMAGE_NAME="image").status == 0
    assert sorted(path.name for path in gate.images.iterdir()) == ["image-3.d", "image-3.qcow2"]


def test_a_failure_is_remembered_until_it_is_cleared_or_an_input_changes(gate: GateRunner) -> None:
    number = 0

    def build() -> Ended:
        """Build as Nodepool does: every build has another number."""
        nonlocal number
        number += 1
        name = f"image-{number}"
        variables = {"DIB_IMAGE_NAME": "image", "DIB_IMAGE_FILENAME": f"{name}.qcow2"}
        return gate(base=name, TINY_ROOT_FILE="/etc/forbidden", **variables)

    first = build()
    assert (first.status, BUILT in first.log) == (1, True)

    again = build()
    assert (again.status, BUILT in again.log) == (1, False)
    assert "the root: files (/etc/forbidden)" in again.last
    assert str(gate.images / "image-1.d") in again.log
    (clear,) = re.findall(r"to have it built at once: (.+)", again.log)
    assert [path.name for path in gate.images.iterdir()] == ["image-1.d"]

    status = command(gate, "status")
    assert "image" in status
    assert "the root: files (/etc/forbidden)" in status
    assert subprocess.check_output(["sh", "-c", clear], text=True) == "image: forgotten\n"
    cleared = build()
    assert BUILT in cleared.log
    # The reports of the first failure are gone: the last ones are kept, or they would pile up.
    assert [path.name for path in gate.images.iterdir()] == ["image-3.d"]

    assert BUILT not in build().log
    gate.policy(POLICY.replace("/etc/forbidden", "/etc/something-else"))
    mended = build()
    assert mended.status == 0, mended.log
    assert gate.uploadable("image-5") == ["image-5.qcow2"]
    assert sorted(path.name for path in gate.images.iterdir()) == ["image-5.d", "image-5.qcow2"]
    assert "no image" in command(gate, "status")
