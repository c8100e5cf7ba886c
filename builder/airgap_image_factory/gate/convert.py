"""From the raw disk to all of its output formats, side by side.

diskimage-builder converts one format after the other and computes checksums in between. Here every format has a thread:
its programs, its checksums. Packing takes all processors, holding a file against the disk takes one: so that is when
checksums are computed, the disk's own too. Nothing has its final name before everything is made.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate.checksums import digests, write_checksums
from airgap_image_factory.gate.formats import (
    TREE_FORMATS,
    check_format,
    compression_for,
    options_for,
    packing_of,
    qemu_command,
    vhd_commands,
)
from airgap_image_factory.gate.programs import StopSign, run_program, stop_sign
from airgap_image_factory.gate.qcow2 import write_qcow2
from airgap_image_factory.gate.room import BEST_PACKING, data_size, need_room
from airgap_image_factory.gate.workspace import put_all_in_place, workspace
from diskimage_validator.errors import UsageError

POLL: Final = 0.2
"""Seconds between two looks at whether the work is to end."""

STEP: Final = 25
"""Progress is told at every so many percent."""


@dataclass(frozen=True)
class Output:
    """An image to make of the disk: its ``format`` by diskimage-builder's name, and the ``path`` of the file.

    ``qemu_img_options`` are what ``--qemu-img-options`` says for all formats; ``checksum``: write ``<path>.md5`` and
    ``<path>.sha256`` too, in which the file is called ``name``, or else by its path. ``compress`` is false for
    ``disk-image-create -u``; as there, it means qcow2 only.
    """

    format: str
    path: Path
    qemu_img_options: str | None = None
    checksum: bool = False
    compress: bool = True
    name: str = ""


@dataclass(frozen=True)
class Converted:
    """A finished image: its size in bytes, digests in hex by algorithm (empty if none were asked for), seconds."""

    output: Output
    size: int
    digests: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def check_outputs(outputs: Sequence[Output]) -> list[str]:
    """Make sure that every output can be made, as far as that can be told without a disk: before the build.

    Returns the options of each, as qemu-img will get them. Raises UsageError for a format that is diskimage-builder's
    own or unknown to qemu-img, for options that it refuses and for two outputs of one name, BuildError for a missing
    program.
    """
    if len({output.path.resolve() for output in outputs}) != len(outputs):
        raise UsageError("two outputs have the same file name", "name each format once")
    formats = [output.format for output in outputs]
    found: list[str] = []
    for output in outputs:
        if output.format in TREE_FORMATS:
            raise UsageError(f"{output.format} is made of the tree, by diskimage-builder, and not of a disk")
        options = options_for(output.format, output.qemu_img_options, formats)
        if output.compress:
            options = compression_for(output.format, options)
        check_format(output.format, options)
        found.append(options)
    return found


def convert(raw: Path, outputs: Sequence[Output], *, progress: Callable[[str], None]) -> list[Converted]:
    """Make all ``outputs`` of the disk ``raw``, and return them in their order.

    If ``raw`` is among the formats, it *becomes* that output, as with diskimage-builder; it is not copied unless it
    lies on another file system. The same disk gives the same raw and qcow2 files. ``progress`` is called in this
    thread, with words such as ``qcow2: 50 %``.

    Raises what ``check_outputs`` raises, and BuildError if there is no room or a program fails. In this case, and if
    this thread is interrupted, every program is ended, ``raw`` is as it was, and nothing is at the outputs' names that
    was not there before.
    """
    options = check_outputs(outputs)
    begin = time.monotonic()
    try:
        raw = raw.resolve(strict=True)
        places = [output.path.resolve() for output in outputs]
        if raw in places:
            raise UsageError(f"{raw}: an output would take the place of the disk that it is made of")
        size = data_size(raw)
        need_room((place.parent, _room(raw, output, size)) for output, place in zip(outputs, places, strict=True))
        with ExitStack() as stack:
            folders = {parent: stack.enter_context(workspace(parent)) for parent in {place.parent for place in places}}
            made = [folders[place.parent] / place.name for place in places]
            jobs = [_Job(raw, *job) for job in zip(outputs, options, made, strict=True)]
            found = _run_all(jobs, progress)
            put_all_in_place(list(zip(made, places, strict=True)))
        if any(output.format == "raw" for output in outputs):
            raw.unlink()
    except OSError as error:
        raise BuildError(f"{error.filename or raw}: {error.strerror}") from error
    return [Converted(output, *one, time.monotonic() - begin) for output, one in zip(outputs, found, strict=True)]


def _room(raw: Path, output: Output, data: int) -> int:
    """Return how many bytes an output needs at least, for so many bytes of data in the disk."""
    if output.format == "raw":
        return 0 if raw.stat().st_dev == output.path.resolve().parent.stat().st_dev else data
    return data // BEST_PACKING if output.format == "qcow2" and output.compress else data // 2


@dataclass
class _Job:
    """One output: what is said to qemu-img for it, and where it is made. ``is_written``: or never will be."""

    raw: Path
    output: Output
    options: str
    made: Path
    is_written: threading.Event = field(default_factory=threading.Event)

    def run(
        self, sign: StopSign, progress: Callable[[str], None], all_jobs: Sequence["_Job"]
    ) -> tuple[int, dict[str, str]]:
        """Make the image and, when all are written, its checksums; return its size and digests.

        Raises BuildError, and Stopped.
        """
        try:
            try:
                {"raw": self._raw, "vhd": self._vhd}.get(self.output.format, self._disk)(sign, progress)
            finally:
                self.is_written.set()
            return self._finish(sign, all_jobs)
        except OSError as error:
            raise BuildError(f"{self.output.format} output: {error.strerror or error}") from error

    def _finish(self, sign: StopSign, all_jobs: Sequence["_Job"]) -> tuple[int, dict[str, str]]:
        with ThreadPoolExecutor(1) as pool:
            comparing = pool.submit(self._compare, sign) if self.output.format != "raw" else None
            for job in all_jobs:
                while not job.is_written.wait(POLL):
                    sign.check()
            found = digests(self.made, stop=sign.check) if self.output.checksum else {}
            if comparing:
                comparing.result()
        write_checksums(self.made, found, name=self.output.name or str(self.output.path))
        return self.made.stat().st_size, found

    def _raw(self, sign: StopSign, _: Callable[[str], None]) -> None:
        """Give the disk a second name, or copy it where that is not possible (another file system, somebody else's)."""
        try:
            self.made.hardlink_to(self.raw)
        except OSError:
            run_program([*_COPY, str(self.raw), str(self.made)], sign, what="raw output")

    def _vhd(self, sign: StopSign, _: Callable[[str], None]) -> None:
        intermediate = self.made.with_name(f"{self.made.name}-intermediate")
        run_program([*_COPY, str(self.raw), str(intermediate)], sign, what="vhd output")
        for command in vhd_commands(self.made):
            run_program(command, sign, what="vhd output")
        intermediate.unlink()

    def _disk(self, sign: StopSign, progress: Callable[[str], None]) -> None:
        told = 0

        def tell(percent: float) -> None:
            nonlocal told
            if percent >= told + STEP:
                told = int(percent // STEP) * STEP
                progress(f"{self.output.format}: {told} %")

        compress = self.output.compress
        packing = packing_of(self.output.format, self.options, compress=compress)
        if packing is None:
            command = qemu_command(self.raw, self.made, self.output.format, self.options, compress=compress)
            run_program(command, sign, what=f"{self.output.format} output", progress=tell)
        else:
            version, zstd = packing.version, packing.zstd
            write_qcow2(self.raw, self.made, version=version, zstd=zstd, stop=sign.check, progress=tell)

    def _compare(self, sign: StopSign) -> None:
        """Hold what was made against the disk, byte by byte, as QEMU will read it: qemu-img compare(1)."""
        known = "vpc" if self.output.format == "vhd" else self.output.format
        command = ["qemu-img", "compare", "-f", "raw", "-F", known, str(self.raw), str(self.made)]
        run_program(command, sign, what=f"{self.output.format} output, compared with the disk")


_COPY: Final = ("cp", "--reflink=auto", "--sparse=always", "--")


def _run_all(jobs: Sequence[_Job], progress: Callable[[str], None]) -> list[tuple[int, dict[str, str]]]:
    """Run the jobs at the same time and return what they return; the first error ends all."""
    events: queue.SimpleQueue[str | Future[tuple[int, dict[str, str]]]] = queue.SimpleQueue()
    with stop_sign() as sign, ThreadPoolExecutor(max(1, len(jobs))) as pool:
        try:
            futures = [pool.submit(job.run, sign, events.put, jobs) for job in jobs]
            for future in futures:
                future.add_done_callback(events.put)
            running = len(futures)
            while running:
                event = events.get()
                if isinstance(event, str):
                    progress(event)
                else:
                    event.result()
                    running -= 1
        except BaseException:
            sign.put_up()
            raise
        return [future.result() for future in futures]
