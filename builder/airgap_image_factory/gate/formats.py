"""Which output formats are made from the raw disk, by which program, and with which options.

diskimage-builder's ``compress_and_save_image`` knows three ways: ``raw`` is the disk itself, ``vhd`` is made by
vhd-util, and every other disk format is handed to ``qemu-img convert -O``. What is not made of the disk but of the
tree (``TREE_FORMATS``) stays diskimage-builder's own.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from airgap_image_factory.errors import BuildError
from diskimage_validator.errors import UsageError
from diskimage_validator.process import Completed, find_program, run

TREE_FORMATS: Final = frozenset({"aci", "docker", "squashfs", "tar", "tgz"})
"""Formats that diskimage-builder makes of the mounted tree (``tgz`` of its ``tar``)."""

COROUTINES: Final = 16
"""The most that qemu-img takes (``MAX_COROUTINES`` in qemu-img.c)."""

VERSION_2: Final = ("0.10", "v2")
"""The values of ``compat`` for the older version of qcow2."""

REFERENCES: Final = frozenset({"backing_file", "backing_fmt", "data_file", "data_file_raw"})
"""Options that make an image refer to another file: what is uploaded has to stand alone."""

QEMU_TIMEOUT: Final = 60.0
_ANOTHER_FILE: Final = re.compile(r"Could not create '/proc/\d+/fd/\d+-")
_OPTION: Final = re.compile(r"^  ([\w.-]+)=<", re.MULTILINE)


def options_for(image_format: str, options: str | None, others: Sequence[str] = ()) -> str:
    """Return what follows ``-o`` for ``image_format``, out of what the caller of disk-image-create said for all.

    ``options`` are ``key=value``, separated by commas; a comma in a value is doubled (qemu-img(1)). diskimage-builder
    gives them to every format, so ``compat=0.10``, which Nodepool says as soon as a qcow2 is among the formats, ends a
    build of a VHDX. Here an option goes to the formats that know it. Raises UsageError for an option that neither this
    nor one of the ``others`` knows, or that makes the image refer to another file.
    """
    known = _known_options(image_format)
    elsewhere = frozenset().union(*map(_known_options, others))
    kept: list[str] = []
    for option in _split(options or ""):
        name = option.partition("=")[0]
        if name in REFERENCES:
            raise UsageError(f"qemu-img option {name}: an image that refers to another file cannot be uploaded")
        if name in known:
            kept.append(option)
        elif name not in elsewhere:
            raise UsageError(
                f"qemu-img option {name!r}: {image_format} has no such option",
                f"qemu-img create -f {image_format} -o help lists them",
            )
    return ",".join(option.replace(",", ",,") for option in kept)


def compression_for(image_format: str, options: str) -> str:
    """Return ``options`` with zstd where they leave the choice and the image can have it; zlib is what is left.

    A qcow2 of version 2 (``compat=0.10``) knows zlib only (QEMU's docs/interop/qcow2.txt, compression type); zstd
    packs in a seventh of the time. It wants QEMU 5.1 where the image runs; ``compression_type=zlib`` avoids it.
    """
    stated = dict(option.partition("=")[::2] for option in _split(options))
    version_2 = stated.get("compat") in VERSION_2
    if image_format != "qcow2" or "compression_type" in stated or version_2 or not _has_zstd():
        return options
    return ",".join(filter(None, (options, "compression_type=zstd")))


@dataclass(frozen=True)
class Packing:
    """A packed qcow2 that ``gate.qcow2`` can write: its version (2 or 3), and whether with zstd or zlib."""

    version: int
    zstd: bool


def packing_of(image_format: str, options: str, *, compress: bool) -> Packing | None:
    """Return how to pack the image ourselves; None if it is qemu-img's: another format or further options."""
    stated = dict(option.partition("=")[::2] for option in _split(options))
    if image_format != "qcow2" or not compress or not stated.keys() <= {"compat", "compression_type"}:
        return None
    return Packing(2 if stated.get("compat") in VERSION_2 else 3, stated.get("compression_type") == "zstd")


def qemu_command(raw: Path, target: Path, image_format: str, options: str, *, compress: bool) -> list[str]:
    """Return the ``qemu-img convert`` call that writes ``target``, in order: without ``-W``, see ``gate.qcow2``."""
    packed = ["-c"] if compress and image_format == "qcow2" else []
    said = ["-o", options] if options else []
    command = ["qemu-img", "convert", "-p", "-m", str(COROUTINES), *packed, "-f", "raw", "-O", image_format, *said]
    return [*command, str(raw), str(target)]


def vhd_commands(target: Path) -> list[list[str]]:
    """Return the vhd-util calls that turn ``target``, a copy of the raw disk, into a dynamic VHD, as DIB does."""
    intermediate = target.with_name(f"{target.name}-intermediate")
    return [
        ["vhd-util", "convert", "-s", "0", "-t", "1", "-i", str(intermediate), "-o", str(intermediate)],
        ["vhd-util", "convert", "-s", "1", "-t", "2", "-i", str(intermediate), "-o", str(target)],
    ]


def check_format(image_format: str, options: str) -> None:
    """Make sure, before anything is built, that the format can be made, with these options, in one file.

    qemu-img says so itself: it makes an empty image. Raises UsageError with what it says, and BuildError if a program
    is missing.
    """
    program = "vhd-util" if image_format == "vhd" else "qemu-img"
    if find_program(program) is None:
        raise BuildError(f"{image_format} output: {program} is not installed", f"install {program}, or leave it out")
    if image_format in ("raw", "vhd"):
        return
    done = _create_empty(image_format, options)
    if done.status == 0:
        return
    reason = (done.stderr.strip().removeprefix("qemu-img: ").splitlines() or [f"exit status {done.status}"])[-1]
    if _ANOTHER_FILE.search(reason):
        reason = f"{options} makes more files than one; what is uploaded has to stand alone"
    raise UsageError(f"{image_format} output: {reason}")


@cache
def _known_options(image_format: str) -> frozenset[str]:
    """Return the names of the options of a format; none if qemu-img does not know the format."""
    if image_format in ("raw", "vhd"):
        return frozenset()
    done = _qemu_img("create", "-f", image_format, "-o", "help", "nothing")
    return frozenset(_OPTION.findall(done.stdout)) if done.status == 0 else frozenset()


@cache
def _has_zstd() -> bool:
    return _create_empty("qcow2", "compression_type=zstd").status == 0


def _create_empty(image_format: str, options: str) -> Completed:
    """Make an image without content, in memory: whatever ends this process on its way, no file is left."""
    memory = os.memfd_create("empty", os.MFD_CLOEXEC)
    try:
        path = f"/proc/{os.getpid()}/fd/{memory}"
        said = ["-o", options] if options else []
        done = _qemu_img("create", "-q", "-f", image_format, *said, path, "1M")
    finally:
        os.close(memory)
    return replace(done, stderr=done.stderr.replace(f"{path}: ", ""))


def _qemu_img(*arguments: str) -> Completed:
    return run(["qemu-img", *arguments], timeout=QEMU_TIMEOUT)


def _split(options: str) -> list[str]:
    return [part.replace("\0", ",") for part in options.replace(",,", "\0").split(",") if part]
