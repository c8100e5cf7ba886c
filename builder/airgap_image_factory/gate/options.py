"""The command line of disk-image-create, read as disk-image-create reads it.

Which options there are, and which of them take a value, is taken from the line with getopt(1) in the installed script,
and getopt(1) itself takes the arguments apart: an option of a later diskimage-builder is passed on, not stumbled over.
What the options mean that decide about the images is said here; ``MEANT`` and ``PASSED`` together are all that
diskimage-builder 3.43 has, and a test holds them against the installed one.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from diskimage_builder import paths

from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate.formats import TREE_FORMATS
from diskimage_validator.errors import UsageError

NAME: Final = "disk-image-create"
MEANT: Final = frozenset(
    {"-o", "-t", "-u", "-c", "-h", "--help", "--version", "--checksum", "--qemu-img-options", "--logfile"}
)
"""Options that the gate obeys itself, besides passing some of them on."""
PASSED: Final = frozenset(
    {
        "-a",
        "-n",
        "-p",
        "-x",
        "--docker-target",
        "--image-cache",
        "--image-size",
        "--install-type",
        "--max-online-resize",
        "--min-tmpfs",
        "--mkfs-options",
        "--no-tmpfs",
        "--offline",
        "--ramdisk-element",
        "--root-label",
    }
)
"""Options that are diskimage-builder's alone. What is in neither set is passed on as well."""
OWN: Final = frozenset({"-o", "-t", "-u", "-c", "--checksum", "--qemu-img-options"})
"""Options that diskimage-builder does not get as they are: it makes one raw image, without checksums."""

_GETOPT: Final = re.compile(r"getopt -o (?P<short>\S+) -l (?P<long>\S+) ")


@dataclass(frozen=True)
class Invocation:
    """What a call of disk-image-create asks for.

    ``base`` is the output without suffix, absolute; ``formats`` in the order asked; ``checksums`` a part of md5 and
    sha256. ``passed`` are the options that diskimage-builder gets, ``arguments`` the command line as it was.
    ``informs``: only help or the version is wanted.
    """

    base: Path
    formats: tuple[str, ...]
    elements: tuple[str, ...]
    checksums: tuple[str, ...]
    compress: bool
    qemu_img_options: str
    logfile: Path | None
    clear_environment: bool
    informs: bool
    passed: tuple[str, ...]
    arguments: tuple[str, ...]

    @property
    def disks(self) -> tuple[str, ...]:
        """The formats that are made of the raw disk, ``raw`` among them."""
        return tuple(name for name in self.formats if name not in TREE_FORMATS)

    @property
    def trees(self) -> tuple[str, ...]:
        """The formats that diskimage-builder makes of the mounted tree. It makes squashfs only if that comes first."""
        return tuple(sorted(TREE_FORMATS.intersection(self.formats), key=lambda name: name != "squashfs"))


def script() -> Path:
    """Return the shell script of the installed diskimage-builder."""
    return Path(paths.get_path("lib"), NAME)


def specification() -> tuple[str, str]:
    """Return the options of the installed script, as getopt(1) takes them: short ones, long ones.

    Raises BuildError if the script says it in another way: then its command line cannot be told.
    """
    try:
        found = _GETOPT.search(script().read_text())
    except OSError as error:
        raise BuildError(f"{script()}: {error.strerror}", "pip install airgap-image-factory[build]") from None
    if found is None:
        raise BuildError(f"{script()} does not tell its options as known", "use diskimage-builder 3.43")
    return found["short"], found["long"]


def parse(arguments: Sequence[str], environment: Mapping[str, str]) -> Invocation:
    """Return what ``arguments`` and ``environment`` ask disk-image-create for.

    Raises UsageError, in getopt(1)'s words, for what disk-image-create would refuse.
    """
    options, elements = _take_apart(arguments)
    last = {option: value or "" for option, value in options}
    informs = not {"-h", "--help", "--version"}.isdisjoint(last)
    if not elements and not informs:
        raise UsageError("At least one distribution root element must be specified", f"{NAME} --help")
    formats = tuple(dict.fromkeys(name for name in last.get("-t", "qcow2").split(",") if name))
    if not formats:
        raise UsageError("-t: no format of an image", "-t qcow2,raw")
    name = last.get("-o") or environment.get("IMAGE_NAME") or "image"
    if len(formats) == 1:
        name = name.removesuffix(f".{formats[0]}")
    if name.endswith("/") or not Path(name).name:
        raise UsageError(f"-o: '{name}' names no file")
    return Invocation(
        base=Path(name).absolute(),
        formats=formats,
        elements=tuple(elements),
        checksums=_checksums("1" if "--checksum" in last else environment.get("DIB_CHECKSUM", "")),
        compress="-u" not in last,
        qemu_img_options=last.get("--qemu-img-options", environment.get("QEMU_IMG_OPTIONS", "")),
        logfile=Path(last["--logfile"]).absolute() if last.get("--logfile") else None,
        clear_environment="-c" in last,
        informs=informs,
        passed=tuple(word for option, value in options if option not in OWN for word in _words(option, value)),
        arguments=tuple(arguments),
    )


def _words(option: str, value: str | None) -> tuple[str, ...]:
    return (option,) if value is None else (option, value)


def _take_apart(arguments: Sequence[str]) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Return (option, value) pairs in their order, and what is no option. The value is None where there can be none."""
    short, long = specification()
    command = ["getopt", "-o", short, "-l", long, "-n", NAME, "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if done.returncode != 0:
        raise UsageError(done.stderr.strip(), f"{NAME} --help")
    words = iter(shlex.split(done.stdout))
    taking = {f"--{name.rstrip(':')}" for name in long.split(",") if name.endswith(":")}
    taking |= {f"-{letter}" for letter, after in pairwise(short) if after == ":"}
    options = [(word, next(words) if word in taking else None) for word in iter(lambda: next(words), "--")]
    return options, list(words)


def _checksums(said: str) -> tuple[str, ...]:
    """Return the kinds that ``DIB_CHECKSUM`` asks for: 1 is both, nothing or 0 is none."""
    return tuple(kind for kind in ("md5", "sha256") if said == "1" or kind in said)
