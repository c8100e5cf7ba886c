"""Several images in one appliance: each is judged as in one of its own, and none keeps another from being read."""

import os
import signal
from pathlib import Path

import pytest

from diskimage_validator import load_policy
from diskimage_validator.comparison.agreement import agreement
from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.engines.open import read_target
from diskimage_validator.engines.sharing import SharedAppliance
from diskimage_validator.errors import EngineError, TargetError
from diskimage_validator.facts import Facts
from diskimage_validator.fleet import validate_many
from diskimage_validator.model import Report
from diskimage_validator.runner import examine
from tests.functional.conftest import BuiltImage
from tests.functional.layouts import ESP, Layout, Part, Tree
from tests.functional.plain_disks import plain_disk
from tests.support import images
from tests.support.memory_engine import File
from tests.support.rpm_images import rhel

ROOT = "LABEL=rootfs / ext4 defaults 0 1\n"
MBR = Layout(
    f"{ROOT}LABEL=home /home ext4 defaults 0 2\n",
    "mbr",
    (Part(64, "ext4", "/", "rootfs"), Part(16, "swap"), Part(16, "ext3", "/home", "home")),
)
GPT = Layout(
    f"{ROOT}LABEL=ESP /boot/efi vfat umask=0077 0 2\n",
    "gpt",
    (Part(40, "vfat", "/boot/efi", "ESP", gpt_type=ESP), Part(64, "ext4", "/", "rootfs")),
)
DATA = Layout("", "none", (Part(32, "ext4", "/", "rootfs"),))
STARTING = "starting the libguestfs appliance"


def made(folder: Path, name: str, layout: Layout, tree: Tree) -> str:
    return str(plain_disk(folder / f"{name}.raw", layout, layout.tree(tree)))


def statuses(report: Report) -> list[tuple[str, str, str]]:
    return [(one.check, one.finding.subject, str(one.finding.status)) for one in report.results]


def test_each_is_judged_as_if_it_were_alone(
    node_image: BuiltImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = [
        made(tmp_path, "deb", MBR, images.debian()),
        made(tmp_path, "data", DATA, {"/file": File(b"no system")}),
        str(tmp_path / "nothing.raw"),
        str(node_image.path),
        made(tmp_path, "rpm", GPT, rhel()),
    ]
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("LIBGUESTFS_CACHEDIR", "/var/tmp")
    policy = load_policy("container-node", ca_files=[str(node_image.authority)])
    said: list[str] = []
    read: dict[str, Facts] = {}

    def done(target: str, facts: Facts, _: Report) -> None:
        read[target] = facts

    found = validate_many(targets, policy, engine="guestfs", share_appliance=True, done=done, progress=said.append)
    assert len([step for step in said if STARTING in step]) == 1, said
    assert isinstance(found[1], TargetError)
    assert "no file system in the image with an os-release file; file systems: /dev/sda ext4" in found[1].message
    assert "no such file" in str(found[2])
    for target, report in zip(targets, found, strict=True):
        if target in read:
            assert isinstance(report, Report)
            facts, alone = examine(target, policy, engine="direct")
            assert agreement(read[target], facts).differences == ()
            assert statuses(report) == statuses(alone)
            assert "other images were read in the same appliance: --share-appliance" in report.notes
    assert read.keys() == {targets[0], targets[3], targets[4]}
    assert list(scratch.glob("diskimage-validator*")) == []


def test_what_was_being_read_when_the_appliance_died_is_read_in_another(tmp_path: Path) -> None:
    targets = [made(tmp_path, "one", DATA, images.debian()), made(tmp_path, "two", DATA, images.debian())]
    times: list[bool] = []

    def hostname(engine: Engine) -> bytes:
        return engine.read("/etc/os-release")

    def killing(engine: Engine) -> bytes:
        assert isinstance(engine, GuestfsEngine)
        times.append(any("--share-appliance" in note for note in engine.notes))
        if len(times) == 1:
            os.kill(engine._handle.get_pid(), signal.SIGKILL)
            with pytest.raises(EngineError):  # which becomes a fact that is an error
                engine.read("/etc/os-release")
            return b""
        return hostname(engine)

    with SharedAppliance(targets, image_format="raw") as sharing:
        first = read_target(targets[0], killing, engine="guestfs", image_format="raw", sharing=sharing)
        assert times == [True, False]
        assert read_target(targets[1], hostname, engine="guestfs", image_format="raw", sharing=sharing) == first
