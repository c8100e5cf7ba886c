"""disk-image-create-validated as Nodepool calls it, on tiny-root, and what must not be left of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.functional.tiny import tiny_environment
from tests.functional.traces import traces
from tests.support.waiting import wait_for

COMMAND: Final = (sys.executable, "-m", "airgap_image_factory.gate")
NODEPOOL: Final = ("-x", "--checksum", "--no-tmpfs", "--qemu-img-options", "compat=0.10")
TIMEOUT: Final = 240.0


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    status: int
    log: str

    @property
    def last(self) -> str:
        return self.log.splitlines()[-1]


@dataclass
class GateRunner:
    """Calls in ``folder``: images in ``images``, temporary files in ``tmp``."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.images = self.folder / "images"
        self.tmp = self.folder / "tmp"
        for made in (self.images, self.tmp):
            made.mkdir()
        self.variables = {**tiny_environment(self.folder), "TMPDIR": str(self.tmp), **self.variables}

    def policy(self, text: str) -> None:
        (self.folder / "policy.yaml").write_text(text)

    def __call__(self, *arguments: str, base: str = "image-1", formats: str = "qcow2", **variables: str) -> Ended:
        running = self.start(*arguments, base=base, formats=formats, **variables)
        return running.wait()

    def command(self, *arguments: str, base: str = "image-1", formats: str = "qcow2") -> list[str]:
        return [*COMMAND, "-t", formats, "-o", str(self.images / base), *arguments]

    def start(self, *arguments: str, base: str = "image-1", formats: str = "qcow2", **variables: str) -> "Running":
        command = [*self.command(*arguments, base=base, formats=formats), "tiny-root"]
        environment = {**os.environ, **self.variables, **variables}
        log = self.folder / f"{base}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, env=environment, stdout=stream, stderr=subprocess.STDOUT, start_new_session=True
            )
        return Running(process, log, self)

    def uploadable(self, base: str = "image-1") -> list[str]:
        """Return what Nodepool takes for images of a build: its ``DibImageFile.from_image_id``."""
        return sorted(path.name for path in self.images.iterdir() if path.is_file() and path.stem == base)

    def leftovers(self) -> list[str]:
        """Return what a build must never leave: mounts, loop devices, temporary files, processes, hidden folders."""
        found = [*traces(self.folder), *(f"file {path}" for path in (*self.tmp.iterdir(), *self.images.glob(".*")))]
        return [*found, *(f"process {pid} {line}" for pid, line in inside(self.folder))]


def inside(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield (pid, command line) of processes that run in ``folder``, or have it for their temporary files."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            places = [str((entry / name).readlink()) for name in ("root", "cwd")]
            environment = (entry / "environ").read_bytes()
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if any(place.startswith(str(folder)) for place in places) or f"TMPDIR={folder}".encode() in environment:
            yield int(entry.name), line


@dataclass
class Running:
    process: "subprocess.Popen[bytes]"
    log: Path
    gate: GateRunner

    def reaches(self, text: str) -> None:
        """Wait until the log has ``text``."""
        wait_for(lambda: text in self.log.read_text(errors="replace") or self.process.poll() is not None, TIMEOUT)
        assert text in self.log.read_text(errors="replace"), self.log.read_text()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def wait(self) -> Ended:
        try:
            status = self.process.wait(TIMEOUT)
        finally:
            if self.process.poll() is None:
                self.process.terminate()
        return Ended(status, self.log.read_text(errors="replace"))
