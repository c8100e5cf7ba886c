"""disk-image-create-validated on tiny-root: what comes out, and what must not."""

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.functional.gate import COMMAND, NODEPOOL, TIMEOUT, GateRunner
from tests.functional.tiny import POLICY

TAKEN_OUT = ("DIB_GATE_", "DIB_VALIDATE_ROOT_")


@pytest.fixture
def gate(tmp_path: Path) -> GateRunner:
    return GateRunner(tmp_path)


def test_a_good_image_has_its_names_checksums_and_reports(gate: GateRunner) -> None:
    """As Nodepool calls it, whose compat=0.10 the operator has replaced."""
    done = gate(*NODEPOOL, formats="qcow2,raw", DIB_GATE_QEMU_IMG_OPTIONS="compat=1.1", DIB_IMAGE_NAME="image")
    assert done.status == 0, done.log
    assert gate.leftovers() == []
    assert gate.uploadable() == ["image-1.qcow2", "image-1.raw"]
    reports = gate.images / "image-1.d"
    for name in ("qcow2", "raw"):
        image = gate.images / f"image-1.{name}"
        content = image.read_bytes()
        for kind in ("md5", "sha256"):
            digest = hashlib.new(kind, content).hexdigest()
            assert image.with_name(f"{image.name}.{kind}").read_text() == f"{digest}  {image}\n"
        report = json.loads((reports / f"report-{name}.json").read_text())
        assert report["target"]["name"] == str(image)
        assert report["target"]["sha256"] == digest
        assert report["summary"]["fail"] == 0
        assert "PASSED" in (reports / f"report-{name}.txt").read_text()
        assert (reports / f"junit-{name}.xml").read_text().startswith("<?xml")
    assert json.loads((reports / "root-report.json").read_text())["engine"] == "directory"
    info = json.loads(subprocess.check_output(["qemu-img", "info", "--output=json", gate.images / "image-1.qcow2"]))
    assert info["format-specific"]["data"]["compat"] == "1.1"
    assert done.last.endswith("[exit status 0]")
    assert "PASSED: " in done.last
    assert done.log.count("Build completed successfully") == 1


def test_the_image_is_the_one_that_disk_image_create_makes(gate: GateRunner) -> None:
    """Elements bake variables and arguments of the build, and its elements. A format that is no disk is passed on."""
    arguments = [*NODEPOOL, "manifests", "element-manifest"]
    done = gate(*arguments, formats="tar", DIB_GATE_THRESHOLD="warning", DIB_VALIDATE_ROOT_THRESHOLD="info")
    assert done.status == 0, done.log
    assert gate.uploadable() == ["image-1.tar"]
    assert "tar: no disk images; the verdict on the root is theirs" in done.log
    assert not re.search("export '?DIB_ENV=", done.log)
    gated = content(gate.images / "image-1.tar")
    beside = (gate.images / "image-1.d/dib-manifests/dib_environment").read_bytes()
    command = [*gate.command(*arguments, formats="tar")[len(COMMAND) :], "tiny-root"]
    variables = {name: value for name, value in gate.variables.items() if not name.startswith(TAKEN_OUT)}
    plain = [str(Path(sys.executable).with_name("disk-image-create")), *command]
    subprocess.run(plain, check=True, capture_output=True, env={**os.environ, **variables}, timeout=TIMEOUT)
    baked = content(gate.images / "image-1.tar")
    assert baked["./etc/dib-manifests/dib_arguments"][1] == " ".join(command).encode() + b"\n"
    assert baked["./etc/dib-manifests/dib_environment"][1] == beside
    assert baked["./etc/dib-manifests/dib-element-manifest"][1] == b"element-manifest\nmanifests\ntiny-root"
    assert gated == baked


def test_validate_root_is_concealed_only_if_nobody_asked_for_it(gate: GateRunner) -> None:
    """An element that needs it asks for it."""
    needing = gate.folder / "elements/needs-validation"
    needing.mkdir(parents=True)
    (needing / "element-deps").write_text("element-manifest\nvalidate-root\n")
    path = f"{needing.parent}:{gate.variables['ELEMENTS_PATH']}"
    done = gate("manifests", "needs-validation", formats="tar", ELEMENTS_PATH=path)
    assert done.status == 0, done.log
    listed = content(gate.images / "image-1.tar")["./etc/dib-manifests/dib-element-manifest"][1]
    assert b"validate-root" in listed.split()


def content(archive: Path) -> dict[str, tuple[tuple[object, ...], bytes]]:
    """Return all that a tar says of each path, and its data; no dates, and of the list of elements no order."""
    found: dict[str, tuple[tuple[object, ...], bytes]] = {}
    with tarfile.open(archive) as members:
        for member in members:
            file = members.extractfile(member) if member.isfile() else None
            data = file.read() if file else b""
            if member.name.endswith("/dib-element-manifest"):
                data = b"\n".join(sorted(data.split()))
            found[member.name] = (member.type, member.mode, member.uid, member.gid, member.linkname), data
    return found


def test_a_root_that_fails_costs_no_conversion_and_leaves_no_image(gate: GateRunner) -> None:
    done = gate(*NODEPOOL, formats="qcow2,raw", TINY_ROOT_FILE="/etc/forbidden")
    assert done.status == 1
    assert "FAIL    /etc/forbidden" in done.log
    assert "converting" not in done.log
    assert "REJECTED: the root: files (/etc/forbidden)" in done.last
    assert gate.leftovers() == []
    assert gate.uploadable() == []
    report = json.loads((gate.images / "image-1.d/root-report.json").read_text())
    assert [one["subject"] for one in report["results"] if one["status"] == "fail"] == ["/etc/forbidden"]


@pytest.mark.parametrize("rejected", ["keep", "remove"])
def test_a_disk_that_fails_is_moved_aside_or_removed(gate: GateRunner, rejected: str) -> None:
    """Only the finished image has a size: the root passes."""
    gate.policy(POLICY.replace("1 GiB", "50 MiB"))
    done = gate("--checksum", formats="qcow2", DIB_GATE_REJECTED=rejected)
    assert done.status == 1
    assert "the root passed" in done.log
    assert "FAIL    virtual size" in done.log
    assert "REJECTED: image-1.qcow2: disk (virtual size)" in done.last
    assert gate.leftovers() == []
    assert gate.uploadable() == []
    reports = gate.images / "image-1.d"
    assert json.loads((reports / "report-qcow2.json").read_text())["summary"]["fail"] == 1
    assert (reports / "rejected/image-1.qcow2").exists() == (rejected == "keep")
    assert [path.name for path in gate.images.iterdir()] == ["image-1.d"]


def test_formats_that_the_validator_does_not_read_are_compared_with_the_raw_disk(gate: GateRunner) -> None:
    """Also options that nobody uses, an abbreviated one, a cleared environment, and an image that was there before."""
    (gate.images / "image-1.vmdk").write_text("the old one")
    options = (
        "-c",
        "-n",
        "-u",
        "--image-size=0.3",
        "--root-label",
        "tiny",
        "--mkfs-o=-m 0",
        "--install-type",
        "package",
    )
    done = gate(*options, formats="vmdk,tgz")
    assert done.status == 0, done.log
    assert gate.uploadable() == ["image-1.tgz", "image-1.vmdk"]
    (old,) = gate.images.glob("image-1-*.vmdk")
    assert old.read_text() == "the old one"
    assert json.loads((gate.images / "image-1.d/report-raw.json").read_text())["summary"]["fail"] == 0
    assert not (gate.images / "image-1.raw").exists()
    vmdk, raw = gate.images / "image-1.vmdk", gate.tmp / "raw"
    subprocess.run(["qemu-img", "convert", "-f", "vmdk", "-O", "raw", vmdk, raw], check=True)
    assert subprocess.check_output(["blkid", "-o", "value", "-s", "LABEL", raw]).strip() == b"tiny"


def test_a_log_file_gets_everything_and_standard_output_only_its_name(gate: GateRunner) -> None:
    logfile = gate.folder / "logs.txt"
    done = gate("--logfile", str(logfile), TINY_ROOT_FILE="/etc/forbidden")
    assert done.status == 1
    assert done.log.splitlines()[0] == f"Output logs going to: {logfile}"
    assert len(done.log.splitlines()) == 3
    text = logfile.read_text()
    assert "FAIL    /etc/forbidden" in text
    assert text.splitlines()[-1].endswith(done.last)


def test_a_failing_build_says_why_and_is_tried_again(gate: GateRunner) -> None:
    for _ in range(2):
        done = gate(TINY_ROOT_FINALISE="fail")
        assert done.status == 4
        assert "FAILED: not built: ERROR: tiny-root was asked to fail" in done.last
        assert gate.leftovers() == []
        assert list(gate.images.iterdir()) == []


def test_what_was_killed_for_want_of_memory_is_told(gate: GateRunner) -> None:
    done = gate(TINY_ROOT_FINALISE="killed")
    assert done.status == 4
    assert "a process was killed" in done.last
    assert gate.leftovers() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-t", "qcow2", "--unknown", "tiny-root"], "unrecognized option '--unknown'"),
        (["-t", "qcow2"], "At least one distribution root element"),
        (["-t", "docker,nonsense", "tiny-root"], "nonsense"),
    ],
)
def test_wrong_usage(gate: GateRunner, arguments: list[str], words: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, env=env(gate), check=False)
    assert done.returncode == 2
    assert words in done.stderr + done.stdout


def test_a_misspelt_variable_does_not_weaken_the_gate(gate: GateRunner) -> None:
    done = gate(DIB_GATE_POLICIES="minimal", DIB_GATE_REJECTED="drop")
    assert done.status == 2
    assert "DIB_GATE_POLICIES: there is no such variable" in done.last
    assert "DIB_GATE_REJECTED is 'drop', not keep or remove" in done.last


def test_help_and_version_are_those_of_diskimage_builder(gate: GateRunner) -> None:
    for option in ("-h", "--help", "--version"):
        done = subprocess.run([*COMMAND, option], capture_output=True, text=True, env=env(gate), check=False)
        assert done.returncode == 0
        plain = subprocess.check_output([Path(sys.executable).with_name("disk-image-create"), option], text=True)
        assert done.stdout.startswith(plain)
        assert ("DIB_GATE_POLICY" in done.stdout) == (option != "--version")


def env(gate: GateRunner) -> dict[str, str]:
    return {**os.environ, **gate.variables}
