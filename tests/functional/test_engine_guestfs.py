"""The guestfs engine on small disks made for it, in milliseconds and without root: mke2fs -d, mkfs.xfs -p, sfdisk."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from diskimage_validator.engines import appliance, appliance_shell, kvm
from diskimage_validator.engines import open as opening
from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.engines.open import read_target
from diskimage_validator.errors import EngineDiedError, EngineError, EntryNotFoundError, ReadLimitError, TargetError

open_target = partial(opening.open_target, engine="guestfs")
MIB = 1024 * 1024
OS_RELEASE = 'ID=debian\nVERSION_ID="12"\n'
FSTAB = "LABEL=rootfs / ext4 defaults 0 1\nLABEL=bootfs /boot ext4 defaults 0 2\n/dev/sdz1 /data xfs defaults 0 2\n"


def tree(folder: Path, files: dict[str, str], links: dict[str, str] | None = None) -> Path:
    """Lay out a root file system on disk."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name, text in (links or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(text)
    return folder


def disk(path: Path, label: str, partitions: list[tuple[int, Path, list[str]]]) -> Path:
    """Make a raw disk. ``partitions``: (size in MiB, tree, options of mke2fs)."""
    size = sum(partition[0] for partition in partitions) + 2
    with path.open("wb") as file:
        file.truncate(size * MIB)
    script = f"label: {label}\n" + "".join(f"size={partition[0]}MiB\n" for partition in partitions)
    sfdisk = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(path)]
    subprocess.run(sfdisk, input=script, text=True, check=True)
    start = 1
    for length, content, options in partitions:
        command = ["mke2fs", "-q", "-t", "ext4", "-d", str(content), "-E", f"offset={start * MIB}", *options]
        subprocess.run([*command, str(path), f"{length}M"], check=True)
        start += length
    return path


@pytest.fixture(scope="module")
def two_partitions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a GPT disk with /boot on a partition of its own, and with links that try to get out."""
    folder = tmp_path_factory.mktemp("gpt")
    root = tree(
        folder / "root",
        {
            "usr/lib/os-release": OS_RELEASE,
            "etc/hostname": "inside\n",
            "etc/fstab": FSTAB,
            "etc/big": "x" * 3 * MIB,
            "boot/hidden-by-the-mount": "",
        },
        {
            "etc/os-release": "../usr/lib/os-release",
            "etc/absolute": "/etc/hostname",
            "etc/climbing": "../../../../../../etc/hostname",
            "etc/chain": "absolute",
            "etc/loop": "loop",
            "etc/dangling": "/no/such/file",
            "bin": "usr/bin",
        },
    )
    boot = tree(folder / "bootfs", {"vmlinuz-6.1.0": "kernel"})
    return disk(folder / "node.raw", "gpt", [(24, boot, ["-L", "bootfs"]), (32, root, ["-L", "rootfs"])])


@pytest.fixture(scope="module")
def engine(two_partitions: Path) -> Iterator[Engine]:
    """Open the disk once for all tests of this module."""
    with open_target(str(two_partitions)) as opened:
        yield opened


def test_the_disk_is_described(engine: Engine, two_partitions: Path) -> None:
    found = engine.disk()
    assert found is not None
    assert (found.partition_table, found.virtual_size) == ("gpt", two_partitions.stat().st_size)
    mounted = {system.mountpoint: system for system in found.filesystems}
    assert mounted.keys() == {"/", "/boot"}
    assert (mounted["/"].label, mounted["/"].type) == ("rootfs", "ext4")
    assert 0 < (mounted["/"].free or 0) < (mounted["/"].size or 0) < 32 * MIB


def test_fstab_decides_what_is_mounted_where(engine: Engine) -> None:
    assert engine.read("/boot/vmlinuz-6.1.0") == b"kernel"
    assert not engine.exists("/boot/hidden-by-the-mount")


@pytest.mark.parametrize("link", ["absolute", "climbing", "chain"])
def test_links_stay_inside_the_image(engine: Engine, link: str) -> None:
    assert engine.read(f"/etc/{link}") == b"inside\n"
    entry = engine.lstat(f"/etc/{link}")
    assert entry is not None
    assert entry.is_link


def test_a_link_to_itself_is_an_error(engine: Engine) -> None:
    with pytest.raises(TargetError, match="more than 40 symbolic links"):
        engine.read("/etc/loop")


@pytest.mark.parametrize(
    "path", ["/etc/dangling", "/etc/nothing", "/etc/hostname/below-a-file", "/no/folder/file", "/etc"]
)
def test_what_is_no_file_is_not_found(engine: Engine, path: str) -> None:
    with pytest.raises(EntryNotFoundError):
        engine.read(path)


def test_large_files_are_read_in_sections_and_up_to_the_limit(engine: Engine) -> None:
    assert engine.read("/etc/big") == b"x" * 3 * MIB
    assert engine.read("/etc/big", offset=2, limit=5, whole=False) == b"xxxxx"
    with pytest.raises(ReadLimitError):
        engine.read("/etc/big", limit=MIB)


def test_walk_and_listdir(engine: Engine) -> None:
    assert engine.listdir("/boot") == ["lost+found", "vmlinuz-6.1.0"]
    assert "/usr/lib/os-release" in [path for path, _ in engine.walk("/usr")]
    assert engine.readlink("/bin") == "usr/bin"


def one_by_one(engine: Engine) -> dict[str, tuple[Stat, str]]:
    """Return every entry, and the text of a link, by asking for each folder."""
    found = {}
    pending = ["/"]
    while pending:
        folder = pending.pop()
        for name in engine.listdir(folder):
            path = f"{folder.rstrip('/')}/{name}"
            entry = engine.lstat(path)
            assert entry is not None
            found[path] = (entry, engine.readlink(path) if entry.is_link else "")
            if entry.is_dir:
                pending.append(path)
    return found


def test_the_whole_tree_at_once_is_what_one_look_after_the_other_finds(two_partitions: Path) -> None:
    with open_target(str(two_partitions), engine="guestfs") as engine:
        slowly = one_by_one(engine)
        walked = dict(engine.walk("/"))
        assert walked == {path: entry for path, (entry, _) in slowly.items()}
        assert one_by_one(engine) == slowly
        assert engine.lstat("/etc/nothing") is None
        assert engine.read("/etc/hostname") == b"inside\n"


def test_a_simple_disk_is_described_as_libguestfs_describes_it(
    two_partitions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_target(str(two_partitions), engine="guestfs") as engine:
        assert isinstance(engine, GuestfsEngine)
        assert engine._layout is not None
        simply, volumes = engine.disk(), engine._volumes
    monkeypatch.setattr("diskimage_validator.engines.guestfs.read_layout", lambda *_: None)
    with open_target(str(two_partitions), engine="guestfs") as engine:
        assert isinstance(engine, GuestfsEngine)
        assert (engine.disk(), engine._volumes) == (simply, volumes)


def test_names_that_are_not_utf8_are_read(tmp_path: Path) -> None:
    cafe, text = os.fsdecode(b"caf\xe9"), os.fsdecode(b"\xff\xfe")
    root = tree(
        tmp_path / "root", {"etc/os-release": OS_RELEASE, f"etc/{cafe}/{text}\n'$(id)": "x" * 2000}, {"etc/a": text}
    )
    image = disk(tmp_path / "names.raw", "dos", [(16, root, [])])
    with open_target(str(image), engine="guestfs") as engine:
        assert engine.listdir("/etc") == ["a", cafe, "os-release"]
        assert engine.readlink("/etc/a") == text
        (name,) = engine.listdir(f"/etc/{cafe}")
        assert engine.read(f"/etc/{cafe}/{name}") == b"x" * 2000
        assert engine.read(f"/etc/{cafe}/{name}", offset=1990, limit=5, whole=False) == b"x" * 5
        assert f"/etc/{cafe}/{name}" in dict(engine.walk("/"))
        assert not engine.exists(f"/etc/{text}")


def test_a_folder_that_its_parent_calls_a_file_hides_nothing(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"etc/os-release": OS_RELEASE, "opt/hidden-folder/backdoor": ""})
    image = disk(tmp_path / "tampered.raw", "dos", [(16, root, ["-O", "^metadata_csum"])])
    content = bytearray(image.read_bytes())
    name = content.index(b"hidden-folder")
    assert content[name - 1] == 2  # file_type of struct ext4_dir_entry_2, include/linux/ext4_fs.h: EXT4_FT_DIR
    content[name - 1] = 1
    image.write_bytes(content)
    with open_target(str(image), engine="guestfs") as engine:
        assert "/opt/hidden-folder/backdoor" in dict(engine.walk("/"))


def test_the_appliance_knows_the_time_without_a_driver_for_the_clock(engine: Engine) -> None:
    assert isinstance(engine, GuestfsEngine)
    said = appliance_shell.run(engine._handle, "date +%s")
    assert said is not None
    assert abs(int(said) - time.time()) < 5


def test_a_disk_without_an_operating_system_is_refused(tmp_path: Path) -> None:
    image = disk(tmp_path / "data.raw", "dos", [(16, tree(tmp_path / "data", {"file": ""}), [])])
    with pytest.raises(
        TargetError, match="no file system in the image with an os-release file; file systems: /dev/sda1"
    ):
        open_target(str(image))


def test_a_disk_that_looks_like_an_image_is_not_opened_as_one(two_partitions: Path, tmp_path: Path) -> None:
    # A guest can write anything to its first sector, also a qcow2 header whose backing file is a file of the host.
    # QEMU follows it wherever it has to guess the format.
    content = tmp_path / "content.raw"
    nested = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(two_partitions), str(content)]
    subprocess.run(nested, check=True)
    image = tmp_path / "hostile.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(content), str(image)], check=True)
    with pytest.raises(TargetError, match="no file system in the image"):
        open_target(str(image))


def test_the_image_is_not_written_to_and_nothing_is_left(
    two_partitions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = two_partitions.read_bytes()
    with open_target(str(two_partitions)) as engine:
        assert engine.exists("/etc/hostname")
    assert two_partitions.read_bytes() == before
    assert list(tmp_path.iterdir()) == []


def test_two_operating_systems_are_refused(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"etc/os-release": OS_RELEASE})
    image = disk(tmp_path / "two.raw", "dos", [(16, root, []), (16, root, [])])
    with pytest.raises(TargetError, match="2 file systems in the image with an os-release"):
        open_target(str(image))


def test_a_whole_disk_file_system_is_read(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", {"etc/os-release": OS_RELEASE})
    image = tmp_path / "whole.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", str(root), str(image), "16M"], check=True)
    with open_target(str(image), image_format="raw") as engine:
        assert engine.read("/etc/os-release").decode() == OS_RELEASE
        found = engine.disk()
        assert found is not None
        assert found.partition_table == "none"


def hanging_qemu(folder: Path) -> Path:
    """Make a QEMU that hangs when it is to use KVM, and is the real one otherwise."""
    program = folder / "qemu-hanging"
    program.write_text(
        '#!/bin/bash\ncase "$*" in\n*accel=kvm:tcg*) ;;\n*accel=kvm*) while :; do sleep 1; done ;;\nesac\n'
        'exec /usr/bin/qemu-system-x86_64 "$@"\n'
    )
    program.chmod(0o755)
    return program


def test_a_kvm_that_hangs_is_given_up_for_tcg(
    two_partitions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LIBGUESTFS_HV", str(hanging_qemu(tmp_path)))
    monkeypatch.setattr(appliance, "KVM", Path("/dev/null"))
    monkeypatch.setattr(appliance, "KVM_TIMEOUT", 5.0)
    monkeypatch.delenv("LIBGUESTFS_BACKEND_SETTINGS", raising=False)
    said: list[str] = []
    with open_target(str(two_partitions), progress=said.append) as engine:
        assert engine.read("/etc/hostname") == b"inside\n"
        (note,) = engine.notes
    assert note.startswith("the appliance runs with TCG, after: KVM: ")
    assert "starting the libguestfs appliance (TCG)" in said
    with open_target(str(two_partitions), engine="guestfs") as engine:
        (note,) = engine.notes
    assert note.startswith("the appliance runs without KVM, which did not work earlier on this host: ")


def dying_qemu(folder: Path) -> Path:
    """Make a QEMU that dies when it is to start its first machine, with words that are no UTF-8, else the real one."""
    program = folder / "qemu-dying"
    program.write_text(
        f'#!/bin/bash\ncase "$*" in *panic=1*) if mkdir {folder}/died; then\n'
        "printf 'a word\\nthe last one \\xff\\n' >&2; exit 1; fi ;; esac\n"
        'exec /usr/bin/qemu-system-x86_64 "$@"\n'
    )
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("device", "note", "remembered"),
    [
        ("/dev/null", "with TCG, after: KVM: ", "guestfs_launch failed: the last one \ufffd"),
        ("/no/such/device", "with TCG, second attempt, after: TCG: ", None),
    ],
)
def test_a_start_that_dies_is_repeated_and_says_what_qemu_said(
    two_partitions: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    note: str,
    remembered: str | None,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LIBGUESTFS_HV", str(dying_qemu(tmp_path)))
    monkeypatch.setattr(appliance, "KVM", Path(device))
    monkeypatch.delenv("LIBGUESTFS_BACKEND_SETTINGS", raising=False)
    with open_target(str(two_partitions)) as engine:
        assert engine.read("/etc/hostname") == b"inside\n"
        assert engine.notes == [f"the appliance runs {note}guestfs_launch failed: the last one \ufffd"]
    assert kvm.remembered() == remembered


def killed(engine: Engine) -> None:
    """Kill the appliance's QEMU, and wait until the library notices."""
    assert isinstance(engine, GuestfsEngine)
    os.kill(engine._handle.get_pid(), signal.SIGKILL)
    with pytest.raises(EngineError):
        engine.read("/etc/hostname")


def test_an_appliance_that_dies_is_started_once_more(two_partitions: Path) -> None:
    times: list[int] = []

    def work(engine: Engine) -> str:
        times.append(len(times))
        if len(times) == 1:
            killed(engine)
        return engine.notes[0] if len(times) > 1 else ""

    assert read_target(str(two_partitions), work, engine="guestfs").startswith("it was read a second time, because")
    assert len(times) == 2
    with pytest.raises(EngineDiedError, match="died while the image was read"):
        read_target(str(two_partitions), killed, engine="guestfs")


def test_an_appliance_that_never_starts_is_one_clear_error(
    two_partitions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIBGUESTFS_HV", "/bin/false")
    with pytest.raises(EngineError, match="does not start") as caught:
        open_target(str(two_partitions))
    assert "doctor" in caught.value.hint
