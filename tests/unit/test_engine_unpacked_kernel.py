"""The appliance's kernel is unpacked once, and whatever is no kernel of that kind is started as it is."""

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from diskimage_validator.engines.kvm import TCG_FEATURES
from diskimage_validator.engines.stand_in import last_words, stand_in
from diskimage_validator.engines.unpacked_kernel import has_pvh_entry, kernel_for, unpack

NOTES = struct.pack("<III", 4, 8, 6) + b"Xen\0" + bytes(8) + struct.pack("<III", 4, 8, 18) + b"Xen\0" + bytes(8)


def elf(notes: bytes = NOTES) -> bytes:
    """Return an ELF file of 64 bits with nothing but notes: elf(5)."""
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return header + struct.pack("<IIQQQQQQ", 4, 0, 120, 0, 0, len(notes), len(notes), 4) + notes


def packed(payload: bytes, *, sectors: int = 2, version: int = 0x20F) -> bytes:
    """Return a bzImage: Documentation/arch/x86/boot.rst."""
    head = bytearray((sectors + 1) * 512)
    head[0x1F1] = sectors
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, version)
    struct.pack_into("<II", head, 0x248, 16, len(payload) + 4)
    return bytes(head) + bytes(16) + payload + struct.pack("<I", 0)  # the size, which packers without one are given


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_what_python_can_unpack_is_unpacked(pack: Callable[[bytes], bytes]) -> None:
    assert unpack(packed(pack(elf()))) == elf()


@pytest.mark.parametrize(
    "image",
    [
        b"",
        elf(),
        packed(b"\x28\xb5\x2f\xfd of zstd"),
        packed(gzip.compress(elf(), mtime=0), version=0x207),
        packed(lzma.compress(elf())[:40] + b"damaged"),
        packed(gzip.compress(elf(), mtime=0))[:0x249],
    ],
)
def test_what_it_cannot_is_left_alone(image: bytes, tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(image)
    assert kernel_for(kernel, tmp_path / "cache") == kernel
    assert not (tmp_path / "cache").exists()


def test_only_one_with_the_entry_that_qemu_starts_is_used(tmp_path: Path) -> None:
    assert has_pvh_entry(elf())
    assert not has_pvh_entry(elf(NOTES[:24]))
    assert not has_pvh_entry(elf(NOTES[:30]))
    assert not has_pvh_entry(elf()[:70])
    kernel = tmp_path / "kernel"
    kernel.write_bytes(packed(gzip.compress(elf(NOTES[:24]))))
    assert kernel_for(kernel, tmp_path) == kernel


def test_it_is_kept_until_there_is_another(tmp_path: Path) -> None:
    kernel, cache = tmp_path / "kernel", tmp_path / "cache"
    kernel.write_bytes(packed(gzip.compress(elf())))
    first = kernel_for(kernel, cache)
    assert first.read_bytes() == elf()
    begin = first.stat().st_ino
    assert kernel_for(kernel, cache) == first
    assert first.stat().st_ino == begin
    kernel.write_bytes(packed(gzip.compress(elf(NOTES * 2))))
    second = kernel_for(kernel, cache)
    assert list(cache.iterdir()) == [second]


def test_a_folder_that_cannot_be_written_to_changes_nothing(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(packed(gzip.compress(elf())))
    assert kernel_for(kernel, Path("/proc/nothing")) == kernel
    assert kernel_for(tmp_path / "none", tmp_path) == tmp_path / "none"


def test_what_stands_in_for_qemu_becomes_qemu_with_that_kernel(tmp_path: Path) -> None:
    kernel, cache = tmp_path / "a kernel", tmp_path / "a cache"
    kernel.write_bytes(packed(gzip.compress(elf())))
    echo = Path(shutil.which("printf") or "/usr/bin/printf")
    program = stand_in(echo, tmp_path, cache)
    assert program.stat().st_mtime_ns == echo.stat().st_mtime_ns
    arguments = ["%s\n", "-append", "two words; $(id)", "-kernel", str(kernel), "-initrd", str(kernel)]
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True)
    (made,) = cache.iterdir()
    assert done.stdout.splitlines() == ["-append", "two words; $(id)", "-kernel", str(made), "-initrd", str(kernel)]
    done = subprocess.run([program, "%s\n", "-help"], capture_output=True, text=True, check=True)
    assert done.stdout == "-help\n"
    done = subprocess.run(
        [program, "%s\n", "-cpu", "max,la57=off", "-m", "max"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["-cpu", f"max,la57=off,{TCG_FEATURES}", "-m", "max"]
    done = subprocess.run([program, "%s\n", "-cpu", "host"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-cpu", "host"]
    assert last_words(tmp_path) == "QEMU said nothing"


def test_the_last_words_of_qemu_are_kept_bounded_and_printable(tmp_path: Path) -> None:
    assert last_words(tmp_path) == ""
    program = stand_in(Path("/bin/sh"), tmp_path, None)
    subprocess.run([program, "-c", "echo no error; yes first | head -n 20000 >&2"], check=True)
    assert last_words(tmp_path) == "first"
    subprocess.run([program, "-c", r"printf 'x\n\033[31m\377the\tlast\n\n' >&2"], check=True)
    assert last_words(tmp_path) == "\ufffdthe last"
    subprocess.run([program, "-c", "printf %01000d 7 >&2"], check=True)
    assert last_words(tmp_path) == "0" * 300


def test_a_qemu_that_is_not_there_is_left_to_libguestfs(tmp_path: Path) -> None:
    assert stand_in(tmp_path / "none", tmp_path, None) == tmp_path / "none"
