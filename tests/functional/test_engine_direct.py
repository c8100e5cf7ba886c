"""The direct engine against libguestfs: the same facts, the same files, the same verdict; and who goes on where it
declines.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diskimage_validator import open_target
from diskimage_validator.comparison.trees import Snapshot, compare, snapshot
from diskimage_validator.engines.appliance import launch
from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.facts import FACTS, Facts, collect, dump
from diskimage_validator.facts.beside import Beside
from diskimage_validator.runner import inspect
from tests.functional.conftest import BuiltImage, RunValidator
from tests.support import disk_layouts, disks, images
from tests.support.disk_layouts import LAYOUTS
from tests.support.memory_engine import Entry, File

APART = ("engine", "notes", "collected")


def told(facts: Facts) -> dict[str, object]:
    """Return the facts as JSON, without what has to differ."""
    return {name: value for name, value in dump(facts).items() if name not in APART}


def everything(engine: Engine) -> tuple[dict[str, object], dict[str, Stat], Snapshot]:
    """Return facts, metadata of every path with the sizes of folders, and content of every file."""
    entries = dict(engine.walk("/"))
    return told(collect(engine)), entries, snapshot(engine, content=lambda path: True)


def read(image: Path, engine: str) -> tuple[dict[str, object], dict[str, Stat], Snapshot]:
    with open_target(str(image), engine=engine) as opened:
        assert opened.name == engine
        return everything(opened)


def assert_same(image: Path) -> None:
    direct, guestfs = read(image, "direct"), read(image, "guestfs")
    assert direct[0] == guestfs[0]
    assert {
        path: (entry, guestfs[1].get(path)) for path, entry in direct[1].items() if entry != guestfs[1].get(path)
    } == {}
    assert direct[1].keys() == guestfs[1].keys()
    assert compare(direct[2], guestfs[2]) == []
    assert len(direct[1]) > 20


def checksums(engine: Engine, file: Path) -> dict[str, str]:
    """Return the sha256 of every file by its path: the appliance adds them up itself, in one call."""
    assert isinstance(engine, GuestfsEngine)
    engine._handle.checksums_out("sha256", "/", str(file))
    found = {}
    for line in file.read_bytes().decode(errors="surrogateescape").splitlines():
        digest, _, path = line.removeprefix("\\").partition("  ")
        if line.startswith("\\"):  # as sha256sum marks a name in which it escaped something
            path = re.sub(r"\\(.)", lambda match: {"n": "\n", "r": "\r"}.get(match[1], match[1]), path)
        found[path.removeprefix(".")] = digest
    return found


def test_the_real_image_is_the_same_to_the_last_byte(node_image: BuiltImage, tmp_path: Path) -> None:
    with open_target(str(node_image.path), engine="direct") as engine:
        direct = everything(engine)
    contents = {path: entry.content for path, entry in direct[2].items()}
    with open_target(str(node_image.path), engine="guestfs") as engine:
        facts, entries = told(collect(engine)), dict(engine.walk("/"))
        links = {path: engine.readlink(path) for path, entry in entries.items() if entry.is_link}
        files = checksums(engine, tmp_path / "sha256")
    assert direct[0] == facts
    assert {path for path in direct[1].keys() | entries.keys() if direct[1].get(path) != entries.get(path)} == set()
    assert files.keys() == {path for path, entry in entries.items() if entry.is_file}
    assert {path for path, text in (files | links).items() if contents[path] != text} == set()
    assert len(files) > 10_000


def test_the_verdict_is_the_same(node_image: BuiltImage, run_validator: RunValidator) -> None:
    direct = run_validator(node_image.path, "--engine", "direct")
    assert (direct.status, direct.report["engine"], direct.report["notes"]) == (0, "direct", [])
    guestfs = run_validator(node_image.path, "--engine", "guestfs")
    assert guestfs.report["engine"] == "guestfs"
    assert direct.report["results"] == guestfs.report["results"]
    assert run_validator(node_image.path).report["engine"] == "direct"  # it is what auto takes


def test_two_processes_read_the_real_image_as_one_does(node_image: BuiltImage, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []
    result = Beside.result

    def spy(self: Beside) -> dict[str, object]:
        found = result(self)
        seen.append(set(found))
        return found

    monkeypatch.setattr(Beside, "result", spy)
    told_by = []
    for processes in (1, 2):
        with open_target(str(node_image.path), engine="direct") as engine:
            told_by.append(told(collect(engine, processes=processes)))
    assert told_by[0] == told_by[1]
    assert seen == [set(), {name for name, reader in FACTS.items() if reader.beside}]


BARE = """\
mount -t tmpfs none /boot && mount -t tmpfs none /lib/modules && mount -t tmpfs none /dev/shm
echo 0 > /proc/sys/user/max_net_namespaces
exec "$@"
"""


def test_a_container_without_kernel_modules_and_privileges_will_do(node_image: BuiltImage, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    validate = ["validate", str(node_image.path), "--policy", "container-node", "--ca", str(node_image.authority)]
    command = [sys.executable, "-m", "diskimage_validator", *validate, "--report", f"json={report}", "--quiet"]
    bare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", BARE, "sh"]
    done = subprocess.run([*bare, *command], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(report.read_text())
    (note,) = told["notes"]
    assert (told["engine"], told["summary"]["error"]) == ("direct", 0)
    assert note.startswith("helpers run without a network namespace of their own: unshare: ")


def test_a_user_who_wants_certainty_has_both(node_image: BuiltImage, run_validator: RunValidator) -> None:
    verdict = run_validator(node_image.path, "--engine", "both")
    assert (verdict.status, verdict.report["engine"]) == (0, "guestfs")
    (agreed,) = (one for one in verdict.report["results"] if one["check"] == "engines-agree")
    assert (agreed["status"], agreed["subject"]) == ("pass", "guestfs and direct")
    assert verdict.report["notes"][-1].startswith("guestfs and direct read the same ")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small system in a folder."""
    extra: dict[str, Entry] = {
        "/etc/fstab": disk_layouts.FSTAB,
        "/boot/efi/EFI/debian/grubx64.efi": File(b"MZ" * 5000, 0o755),
        "/boot/efi/EFI/BOOT/fbx64.efi": File(b"fallback"),
        "/boot/efi/EFI/a name that is longer than eight letters.conf": File(b"long"),
        "/boot/grub/grub.cfg": "set default=0\n",
    }
    return disk_layouts.unpack(images.debian() | extra, tmp_path / "root")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_the_same_to_the_last_byte(root: Path, tmp_path: Path, layout: str) -> None:
    assert_same(disks.qcow2(LAYOUTS[layout](root, tmp_path / "disk.raw"), tmp_path / "disk.qcow2", "-c"))


def lvm(root: Path, disk: Path) -> Path:
    """Have LVM itself make a root, split into two segments, and a volume for swap."""
    disks.partitioned(disk, "label: gpt\nsize=8MiB\n,,lvm\n", 128 * disks.MIB)
    (root / "etc/fstab").write_text("/dev/mapper/rl--9-root / ext4 defaults 0 1\n/dev/rl-9/swap none swap sw 0 0\n")
    archive = root.parent / "root.tar"
    disks.run("tar", "-C", root, "-cf", archive, ".")
    handle, _ = launch(lambda handle: handle.add_drive_opts(str(disk), format="raw"))
    handle.pvcreate("/dev/sda2")
    handle.vgcreate("rl-9", ["/dev/sda2"])
    handle.lvcreate("root", "rl-9", 20)
    handle.lvcreate("swap", "rl-9", 16)
    handle.lvresize("/dev/rl-9/root", 60)
    handle.mkswap("/dev/rl-9/swap")
    handle.mkfs("ext4", "/dev/rl-9/root")
    handle.mount("/dev/rl-9/root", "/")
    handle.tar_in(str(archive), "/")
    handle.shutdown()
    handle.close()
    return disk


def test_logical_volumes_are_the_same_to_the_last_byte(root: Path, tmp_path: Path) -> None:
    disk = lvm(root, tmp_path / "disk.raw")
    assert_same(disk)
    with open_target(str(disk), engine="direct") as engine:
        found = engine.disk()
    assert found is not None
    assert {one.device: one.mountpoint for one in found.filesystems} == {
        "/dev/rl-9/root": "/",
        "/dev/rl-9/swap": None,
        "/dev/sda1": None,
    }


def test_guestfs_goes_on_where_the_direct_engine_declines(root: Path, tmp_path: Path) -> None:
    disk = disk_layouts.mbr(root, tmp_path / "disk.raw")
    sound = inspect(str(disk), engine="direct")
    disks.run("debugfs", "-w", "-R", "feature needs_recovery", f"{disk}?offset={disks.MIB}")
    facts = inspect(str(disk))
    assert facts.engine == "guestfs"
    assert any(note.startswith("the direct engine declined: ") and "recover" in note for note in facts.notes)
    assert facts.packages == sound.packages
