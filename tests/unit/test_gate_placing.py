"""Files get their names together or not at all; what did not pass has none that Nodepool would take for an image."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from airgap_image_factory.gate.front import Ledger
from airgap_image_factory.gate.placing import merge, publish, put_aside
from airgap_image_factory.gate.verdicts import to_judge


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a folder with two finished images, and what diskimage-builder has left beside its own."""
    folder = tmp_path / ".work"
    (folder / ".made/node.d/dib-manifests").mkdir(parents=True)
    (folder / ".made/node.d/dib-manifests/list").write_text("new")
    (folder / ".made/node.vmlinuz").write_text("kernel")
    for name in ("qcow2", "raw"):
        (folder / f"node.{name}").write_text(f"new {name}")
        (folder / f"node.{name}.sha256").write_text("digest")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".work")


def images(work: Path) -> list[Path]:
    return [work / "node.qcow2", work / "node.raw"]


def test_everything_is_put_in_place(work: Path, tmp_path: Path) -> None:
    (tmp_path / "node.d").mkdir()
    (tmp_path / "node.d/older").write_text("stays")
    done = publish(work / ".made", tmp_path / "node", images(work), {}, Ledger())
    assert done == [tmp_path / "node.qcow2", tmp_path / "node.raw"]
    assert names(tmp_path) == [
        "node.d",
        "node.qcow2",
        "node.qcow2.sha256",
        "node.raw",
        "node.raw.sha256",
        "node.vmlinuz",
    ]
    assert names(tmp_path / "node.d") == ["dib-manifests", "older"]


@pytest.mark.parametrize(("overwrite", "kept"), [("", True), ("0", True), ("1", False)])
def test_an_older_image_is_treated_as_diskimage_builder_does(
    work: Path, tmp_path: Path, overwrite: str, *, kept: bool
) -> None:
    (tmp_path / "node.qcow2").write_text("old")
    publish(work / ".made", tmp_path / "node", images(work), {"OVERWRITE_OLD_IMAGE": overwrite}, Ledger())
    assert (tmp_path / "node.qcow2").read_text() == "new qcow2"
    dated = [name for name in names(tmp_path) if re.fullmatch(r"node-[\d.]+-[\d.]+\.qcow2", name)]
    assert [(tmp_path / name).read_text() for name in dated] == (["old"] if kept else [])


def test_if_one_image_cannot_have_its_name_none_has(work: Path, tmp_path: Path) -> None:
    (tmp_path / "node.raw").mkdir()
    (tmp_path / "node.raw/file").write_text("")
    with pytest.raises(OSError, match=r"node\.raw"):
        publish(work / ".made", tmp_path / "node", images(work), {}, Ledger())
    assert [name for name in names(tmp_path) if name.startswith("node.qcow2")] == []


PROGRAM = """
import os, signal, sys
from pathlib import PosixPath
from airgap_image_factory.gate.front import work_behind_a_front
from airgap_image_factory.gate.log import BuildLog
from airgap_image_factory.gate.main import _clean_up
from airgap_image_factory.gate.placing import publish

class Place(PosixPath):
    # Whether there is an older image is asked right before an image gets its name.
    def is_file(self):
        if self.name == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().is_file()

folder = Place(sys.argv[1])
work = folder / ".work"

def place(ledger):
    ledger.enter(work)
    publish(work / ".made", folder / "node", [work / "node.qcow2", work / "node.raw"], {}, ledger)
    os.kill(os.getpid(), signal.SIGKILL)

log = BuildLog(None, {})
sys.exit(work_behind_a_front(place, lambda ledger, killed: _clean_up(log, ledger, killed), ends_with_parent=False))
"""


@pytest.mark.parametrize("before", ["node.qcow2", "node.raw", "nothing more"])
def test_a_process_that_is_killed_on_the_way_leaves_no_image_of_its_own(
    work: Path, tmp_path: Path, before: str
) -> None:
    """Before the first has its name, between the two, and when nobody is told any more that they have."""
    (tmp_path / "node.qcow2").write_text("old")
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), before]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 4, done.stderr
    assert "the build was killed (SIGKILL)" in done.stdout
    kept = names(tmp_path)
    assert [name for name in kept if not name.startswith("node-")] == (
        ["node.d", "node.qcow2"] if before == "node.qcow2" else ["node.d"]
    )
    assert [(tmp_path / name).read_text() for name in kept if name.endswith("qcow2")] == ["old"]


def test_rejected_images_are_kept_where_nobody_takes_them_for_images(work: Path, tmp_path: Path) -> None:
    kept = put_aside(images(work), tmp_path / "node.d", keep=True)
    assert [path.relative_to(tmp_path) for path in kept] == [
        Path("node.d/rejected/node.qcow2"),
        Path("node.d/rejected/node.raw"),
    ]
    assert kept[0].with_name("node.qcow2.sha256").exists()
    assert names(tmp_path) == ["node.d"]


def test_rejected_images_are_removed(work: Path, tmp_path: Path) -> None:
    assert put_aside(images(work), tmp_path / "node.d", keep=False) == []
    assert not (work / "node.raw").exists()
    assert names(tmp_path) == []


def test_merging_replaces_what_is_ours_and_leaves_the_rest(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "far/target"
    for folder, text in ((source, "new"), (target, "old")):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep/both").write_text(text)
        (folder / f"deep/only-{text}").write_text(text)
    (target / "kind").mkdir()
    (source / "kind").write_text("a file now")
    merge(source, target)
    assert (target / "deep/both").read_text() == "new"
    assert names(target / "deep") == ["both", "only-new", "only-old"]
    assert (target / "kind").read_text() == "a file now"
    assert not source.exists()


@pytest.mark.parametrize(
    ("disks", "judged"),
    [
        (["qcow2"], ["qcow2"]),
        (["raw", "qcow2"], ["raw", "qcow2"]),
        (["qcow2", "vmdk"], ["qcow2", "raw"]),
        (["vhd", "raw"], ["raw"]),
        (["vmdk"], ["raw"]),
        ([], []),
    ],
)
def test_every_disk_has_a_verdict_of_its_own_or_that_of_the_raw_one(disks: list[str], judged: list[str]) -> None:
    assert to_judge(disks) == judged
