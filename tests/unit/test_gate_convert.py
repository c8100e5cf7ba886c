"""All formats of one disk, made by the real qemu-img: the same content, whole or not at all."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate.convert import Converted, Output, convert
from airgap_image_factory.gate.workspace import PREFIX
from diskimage_validator.errors import UsageError
from diskimage_validator.process import LOCALE, run

MEBIBYTE = 1024 * 1024
SIZE = 24 * MEBIBYTE
DISK_FORMATS = ("qcow2", "qcow", "qed", "raw", "vdi", "vhdx", "vmdk", "vpc")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A sparse disk: text that packs well, noise that does not, and holes."""
    path = tmp_path / "build" / "disk.raw"
    path.parent.mkdir()
    with path.open("wb") as file:
        file.write(b"an image has to be the same\n" * 40_000)
        file.seek(8 * MEBIBYTE)
        file.write(bytes(MEBIBYTE) + hashlib.shake_256(b"noise").digest(3 * MEBIBYTE))
        file.truncate(SIZE)
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


def make(disk: Path, *outputs: Output) -> list[Converted]:
    return convert(disk, outputs, progress=lambda _: None)


def same(disk: Path, image: Path, image_format: str) -> bool:
    done = run(["qemu-img", "compare", "-f", "raw", "-F", image_format, str(disk), str(image)], timeout=60)
    return done.status == 0


def details(image: Path, image_format: str = "qcow2") -> str:
    return run(["qemu-img", "info", "-f", image_format, str(image)], timeout=60).stdout


def test_every_disk_format_holds_what_the_disk_holds(disk: Path, images: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.raw"
    kept.write_bytes(disk.read_bytes())
    done = make(disk, *(Output(one, images / f"node.{one}") for one in DISK_FORMATS))
    assert [one.output.format for one in done] == list(DISK_FORMATS)
    for one in done:
        assert same(kept, one.output.path, one.output.format), one.output.format
        assert one.size == one.output.path.stat().st_size
    assert {path.name for path in images.iterdir()} == {f"node.{one}" for one in DISK_FORMATS}
    assert run(["qemu-img", "check", "-f", "qcow2", str(images / "node.qcow2")], timeout=60).status == 0


def test_raw_becomes_the_output_and_stays_sparse(disk: Path, images: Path) -> None:
    inode = disk.stat().st_ino
    make(disk, Output("qcow2", images / "node.qcow2"), Output("raw", images / "node.raw"))
    assert not disk.exists()
    assert (images / "node.raw").stat().st_ino == inode
    assert (images / "node.raw").stat().st_blocks * 512 < SIZE // 2
    assert (images / "node.raw").stat().st_nlink == 1


def test_a_disk_that_is_no_output_stays(disk: Path, images: Path) -> None:
    make(disk, Output("qcow2", images / "node.qcow2"))
    assert disk.exists()


def test_raw_is_copied_from_another_file_system(disk: Path, images: Path) -> None:
    content = disk.read_bytes()
    elsewhere = Path("/dev/shm")
    if elsewhere.stat().st_dev == images.stat().st_dev:
        pytest.fail("the tests need a /dev/shm of its own")
    moved = elsewhere / f"{images.parent.name}-{os.getpid()}.raw"
    try:
        subprocess.run(["cp", "--sparse=always", str(disk), str(moved)], check=True)
        make(moved, Output("raw", images / "node.raw", checksum=True))
        assert not moved.exists()
    finally:
        moved.unlink(missing_ok=True)
    assert (images / "node.raw").read_bytes() == content
    assert (images / "node.raw").stat().st_blocks * 512 < SIZE // 2


def test_checksums_are_those_of_md5sum_and_sha256sum(disk: Path, images: Path) -> None:
    (done,) = make(disk, Output("qcow2", images / "node.qcow2", checksum=True))
    for program, algorithm in (("md5sum", "md5"), ("sha256sum", "sha256")):
        file = images / f"node.qcow2.{algorithm}"
        said = subprocess.run([program, str(images / "node.qcow2")], capture_output=True, text=True, check=True).stdout
        assert file.read_text() == said
        assert done.digests[algorithm] == said.split()[0]


def test_a_checksum_file_names_the_image_as_its_caller_does(disk: Path, images: Path) -> None:
    make(disk, Output("qcow2", images / "node.qcow2", checksum=True, name="elsewhere/node.qcow2"))
    assert (images / "node.qcow2.md5").read_text().endswith("  elsewhere/node.qcow2\n")


def test_without_checksums_those_of_an_older_image_do_not_stay(disk: Path, images: Path) -> None:
    (images / "node.qcow2").write_text("old")
    (images / "node.qcow2.md5").write_text("old")
    make(disk, Output("qcow2", images / "node.qcow2"))
    assert [path.name for path in images.iterdir()] == ["node.qcow2"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, ("compat: 1.1", "compression type: zstd")),
        ("compression_type=zlib", ("compat: 1.1", "compression type: zlib")),
        ("compat=0.10", ("compat: 0.10", "compression type: zlib")),
        ("compat=v2", ("compat: 0.10", "compression type: zlib")),
        ("compat=1.1,compression_type=zlib", ("compat: 1.1", "compression type: zlib")),
        ("cluster_size=131072", ("cluster_size: 131072", "compression type: zstd")),
    ],
)
def test_qcow2_options(disk: Path, images: Path, options: str | None, expected: tuple[str, ...]) -> None:
    make(disk, Output("qcow2", images / "node.qcow2", options))
    said = details(images / "node.qcow2")
    assert all(line in said for line in expected), said
    assert same(disk, images / "node.qcow2", "qcow2")


def test_uncompressed(disk: Path, images: Path) -> None:
    make(disk, Output("qcow2", images / "large.qcow2", compress=False), Output("qcow2", images / "small.qcow2"))
    count = {}
    for name in ("large", "small"):
        said = run(["qemu-img", "check", "--output=json", "-f", "qcow2", str(images / f"{name}.qcow2")], timeout=60)
        count[name] = '"compressed-clusters"' in said.stdout
    assert count == {"large": False, "small": True}


def test_options_go_to_the_formats_that_know_them(disk: Path, images: Path) -> None:
    options = "compat=0.10,subformat=fixed"
    make(disk, Output("qcow2", images / "node.qcow2", options), Output("vpc", images / "node.vpc", options))
    assert "compat: 0.10" in details(images / "node.qcow2")
    assert (images / "node.vpc").stat().st_size >= SIZE


@pytest.mark.parametrize("options", [None, "compat=0.10"])
def test_the_same_disk_gives_the_same_bytes(disk: Path, images: Path, options: str | None) -> None:
    for name in ("one", "two"):
        make(disk, Output("qcow2", images / f"{name}.qcow2", options))
    assert (images / "one.qcow2").read_bytes() == (images / "two.qcow2").read_bytes()


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (Output("qcow2", Path("node.qcow2"), "colour=red"), "'colour'"),
        (Output("qcow2", Path("node.qcow2"), "cluster_size=3"), "power of two"),
        (Output("qcow2", Path("node.qcow2"), "compat=0.10,compression_type=zstd"), "zlib"),
        (Output("qcow2", Path("node.qcow2"), "backing_file=/etc/shadow"), "another file"),
        (Output("qcow2", Path("node.qcow2"), "data_file=/tmp/elsewhere"), "another file"),
        (Output("floppy", Path("node.floppy")), "Unknown file format 'floppy'"),
        (Output("tgz", Path("node.tgz")), "of the tree"),
        (Output("vmdk", Path("node.vmdk"), "subformat=monolithicFlat"), "more files than one"),
    ],
)
def test_what_cannot_be_made_is_refused_before_the_work(disk: Path, images: Path, output: Output, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        make(disk, Output(output.format, images / output.path, output.qemu_img_options))
    assert reason in caught.value.message
    assert list(images.iterdir()) == []


def test_an_output_in_the_place_of_the_disk(disk: Path) -> None:
    with pytest.raises(UsageError, match="take the place"):
        make(disk, Output("raw", disk))
    assert disk.stat().st_size == SIZE


def test_a_folder_that_is_not_there(disk: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="nowhere: No such file or directory"):
        make(disk, Output("qcow2", tmp_path / "nowhere" / "node.qcow2"))


def test_two_outputs_of_one_name(disk: Path, images: Path) -> None:
    with pytest.raises(UsageError, match="same file name"):
        make(disk, Output("qcow2", images / "node.qcow2"), Output("qcow2", images / "node.qcow2"))


def test_vhd_without_vhd_util(disk: Path, images: Path) -> None:
    with pytest.raises(BuildError, match="vhd-util is not installed"):
        make(disk, Output("vhd", images / "node.vhd"))


VHD_UTIL = """#!/bin/sh
# vhd-util convert -s FROM -t TO -i INPUT -o OUTPUT, of 0 raw, 1 fixed, 2 dynamic. Raw to fixed is done in place.
set -e
[ "$1" = convert ]
case "$3-$5" in
0-1)
    [ "$7" = "$9" ]
    qemu-img convert -f raw -O vpc -o subformat=fixed,force_size=on "$7" "$9.new"
    mv "$9.new" "$9"
    ;;
1-2)
    qemu-img convert -f vpc -O vpc -o force_size=on "$7" "$9"
    touch "$7.bak"
    ;;
*) exit 1 ;;
esac
"""
"""What the real program does, which no distribution has: it is a patched one from Xen."""


def test_vhd_by_vhd_util(disk: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "vhd-util"
    program.parent.mkdir()
    program.write_text(VHD_UTIL)
    program.chmod(0o755)
    monkeypatch.setitem(LOCALE, "PATH", f"{program.parent}:{LOCALE['PATH']}")
    make(disk, Output("vhd", images / "node.vhd", "compat=0.10"), Output("qcow2", images / "node.qcow2", "compat=0.10"))
    assert same(disk, images / "node.vhd", "vpc")
    assert sorted(path.name for path in images.iterdir()) == ["node.qcow2", "node.vhd"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB, in memory."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_no_room_is_found_before_the_work(disk: Path, small_disk: Path) -> None:
    with disk.open("r+b") as file:
        file.write(b"x" * SIZE)
    with pytest.raises(BuildError, match=r"no room in .*small: "):
        make(disk, Output("vdi", small_disk / "node.vdi"))
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_gets_full_leaves_no_image(disk: Path, small_disk: Path, images: Path) -> None:
    """Noise does not pack, so the bound says yes and the writing says no."""
    with pytest.raises(BuildError, match="qcow2 output: No space left on device"):
        make(disk, Output("qcow2", small_disk / "node.qcow2"), Output("raw", images / "node.raw", checksum=True))
    assert list(small_disk.iterdir()) == []
    assert list(images.iterdir()) == []
    assert disk.exists()


def test_an_image_that_is_there_survives_a_failure(disk: Path, images: Path) -> None:
    (images / "node.qcow2").write_text("the image of yesterday")
    with pytest.raises(UsageError):
        make(disk, Output("qcow2", images / "node.qcow2"), Output("floppy", images / "node.floppy"))
    assert (images / "node.qcow2").read_text() == "the image of yesterday"


CHILD = """
import sys
from pathlib import Path
from airgap_image_factory.gate.convert import Output, convert
import signal
def stop(number, frame):
    raise SystemExit(128 + number)
signal.signal(signal.SIGTERM, stop)
images = Path(sys.argv[2])
outputs = [Output("qcow2", images / "node.qcow2", "compat=0.10", True), Output("raw", images / "node.raw", None, True)]
convert(Path(sys.argv[1]), outputs, progress=lambda text: print(text, flush=True))
"""


@pytest.fixture
def long_work(disk: Path, images: Path) -> Iterator["subprocess.Popen[str]"]:
    """A conversion that takes seconds, in a process of its own, at a quarter of its way."""
    with disk.open("r+b") as file:
        line = hashlib.shake_256(b"line").digest(997).hex().encode()
        file.write(line * (192 * MEBIBYTE // len(line)))
    command = [sys.executable, "-c", CHILD, str(disk), str(images)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "qcow2: 25 %\n"
            yield process
        finally:
            process.kill()


def no_qemu_img(folder: Path) -> bool:
    """Whether every qemu-img that works in ``folder`` has ended, a second being enough for that."""
    for _ in range(20):
        found = [
            path
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(folder).encode() in (read_or_nothing(path)) and b"qemu-img" in read_or_nothing(path)
        ]
        if not found:
            return True
        time.sleep(0.05)
    return False


def read_or_nothing(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(
    disk: Path, images: Path, long_work: "subprocess.Popen[str]", number: signal.Signals
) -> None:
    long_work.send_signal(number)
    assert long_work.wait(10) != 0
    assert no_qemu_img(images)
    assert list(images.iterdir()) == []
    assert disk.exists()


def test_what_a_killed_process_left_goes_with_the_next_work(
    disk: Path, images: Path, long_work: "subprocess.Popen[str]"
) -> None:
    long_work.kill()
    long_work.wait(10)
    assert no_qemu_img(images)
    (left,) = images.iterdir()
    assert left.name.startswith(PREFIX)
    make(disk, Output("raw", images / "node.raw"))
    assert [path.name for path in images.iterdir()] == ["node.raw"]


def test_work_that_goes_on_is_left_alone(disk: Path, images: Path, long_work: "subprocess.Popen[str]") -> None:
    other = disk.with_name("other.raw")
    other.write_bytes(b"x" * MEBIBYTE)
    make(other, Output("raw", images / "other.raw"))
    assert long_work.wait(60) == 0
    names = ["node.qcow2", "node.qcow2.md5", "node.qcow2.sha256", "node.raw", "node.raw.md5", "node.raw.sha256"]
    assert sorted(path.name for path in images.iterdir()) == [*names, "other.raw"]
