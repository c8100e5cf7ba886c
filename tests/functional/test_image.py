"""./run image when things go wrong: what was there stays, what was made is kept aside, and nothing else is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from airgap_image_factory.image import judge
from diskimage_validator import load_policy
from diskimage_validator.errors import TargetError
from tests.functional.conftest import BuiltImage
from tests.functional.traces import traces


def image_command(folder: Path, *options: str) -> list[str]:
    output = folder / "node.qcow2"
    return [sys.executable, "-m", "airgap_image_factory", "image", "--output", str(output), *options]


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def test_a_refused_setting_ends_the_build_with_its_reason(tmp_path: Path, scratch: Path) -> None:
    environment = {**os.environ, "DIB_CONTAINER_ENGINE": "lxc", "TMPDIR": str(scratch)}
    done = subprocess.run(image_command(tmp_path), env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "DIB_CONTAINER_ENGINE is 'lxc'; it must be podman or docker" in done.stderr
    assert f"hint: the whole log: {tmp_path}/node.d/failed-build.log" in done.stderr
    assert "lxc" in (tmp_path / "node.d/failed-build.log").read_text()
    assert not (tmp_path / "node.qcow2").exists()
    assert traces(scratch) == []
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_build_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, scratch: Path, signum: signal.Signals
) -> None:
    (tmp_path / "node.qcow2").write_text("the previous image")
    before = {path.name for path in tmp_path.iterdir()}
    environment = {**os.environ, "TMPDIR": str(scratch)}
    process = subprocess.Popen(image_command(tmp_path), env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "bootstrapping" in line:
            time.sleep(8)  # into the middle of debootstrap, with proc mounted in the new root
            process.send_signal(signum)
            break
    rest = process.stderr.read()
    process.stderr.close()
    assert process.wait(120) == 128 + signum, "".join(said) + rest
    assert "Traceback" not in rest
    assert (tmp_path / "node.qcow2").read_text() == "the previous image"
    assert {path.name for path in tmp_path.iterdir()} - before == {"node.d", "pki"}
    assert traces(scratch) == []
    assert list(scratch.iterdir()) == []


def test_an_image_that_does_not_pass_goes_aside(node_image: BuiltImage, tmp_path: Path) -> None:
    policy = tmp_path / "strict.yaml"
    policy.write_text("version: 1\nname: strict\npackages:\n  required: [no-such-package]\n")
    output = tmp_path / "out.qcow2"
    output.write_text("the previous image")
    built = tmp_path / "work/out.qcow2"
    (tmp_path / "work/out.d").mkdir(parents=True)
    shutil.copyfile(node_image.path, built)
    outcome = judge(built, load_policy(str(policy)), output)
    assert not outcome.passed
    assert outcome.image == tmp_path / "out.rejected.qcow2"
    assert output.read_text() == "the previous image"
    report = json.loads((tmp_path / "out.rejected.d/report.json").read_text())
    assert report["target"]["name"] == str(outcome.image)
    assert (tmp_path / "out.rejected.qcow2.sha256").read_text().startswith(report["target"]["sha256"])
    assert not built.exists()


def test_an_image_that_cannot_be_read_goes_aside_too(tmp_path: Path) -> None:
    built = tmp_path / "work/out.qcow2"
    (tmp_path / "work/out.d").mkdir(parents=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(built), "10M"], check=True)
    with pytest.raises(TargetError) as caught:
        judge(built, load_policy("minimal"), tmp_path / "out.qcow2")
    assert "out.rejected.qcow2" in caught.value.hint
    assert (tmp_path / "out.rejected.qcow2").exists()
    assert not (tmp_path / "out.qcow2").exists()


def test_a_sudo_that_talks_is_found_before_the_build(tmp_path: Path) -> None:
    # In a host name that nothing resolves, sudo prints a warning; diskimage-builder would take it for losetup's output.
    command = ["unshare", "--uts", "sh", "-c", 'hostname no-such-host && exec "$@"', "sh", *image_command(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 4
    assert "sudo prints a message" in done.stderr
    assert "/etc/hosts" in done.stderr
