"""Nodepool from PyPI in an environment of its own, and its builder and launcher as processes.

Nodepool pins much that this project does not, and wants an old setuptools, so it does not share our environment.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.functional import applications
from tests.functional.ports import free_port

# The second and third are what Nodepool 11.0 imports and does not ask for: pkg_resources, and cachetools.
REQUIREMENTS = ["nodepool==11.*", "setuptools<81", "cachetools"]
START_TIMEOUT = 60.0
STOP_TIMEOUT = 60.0


@dataclass(frozen=True)
class Nodepool:
    """An environment with Nodepool in it."""

    folder: Path

    def program(self, name: str) -> str:
        """Return the path of ``nodepool`` or ``nodepool-builder``."""
        return str(self.folder / "bin" / name)

    def config_validate(self, configuration: Path) -> subprocess.CompletedProcess[str]:
        """Run ``nodepool config-validate``; what it complains of is on standard error."""
        command = [self.program("nodepool"), "-c", str(configuration), "config-validate"]
        return subprocess.run(command, check=False, capture_output=True, text=True)


def install(folder: Path) -> Nodepool:
    """Install Nodepool into ``folder`` unless it is there. About a minute; 500 MB."""
    applications.install(folder, REQUIREMENTS)
    return Nodepool(folder)


@dataclass
class Builder:
    """A nodepool-builder with its own folder: configuration, images, logs, temporary files.

    ``configuration`` is nodepool.yaml; where files go is added to it. ``environment`` is added to this process' own
    and goes to each build. ``confined`` returns what runs a command in the builder's confinement, by becoming it.
    """

    nodepool: Nodepool
    folder: Path
    configuration: dict[str, Any]
    environment: dict[str, str] = field(default_factory=dict)
    confined: Callable[[list[str]], list[str]] = list
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        for path in (self.images, self.folder / "builds", self.temporary):
            path.mkdir(parents=True, exist_ok=True)
        self.configure()

    @property
    def images(self) -> Path:
        return self.folder / "images"

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def file(self) -> Path:
        return self.folder / "nodepool.yaml"

    @property
    def log(self) -> Path:
        return self.folder / "builder.log"

    def configure(self) -> None:
        """Write nodepool.yaml. A running builder reads it again before its next loop."""
        whole = {"images-dir": str(self.images), "build-log-dir": str(self.folder / "builds"), **self.configuration}
        new = self.file.with_suffix(".new")
        new.write_text(yaml.safe_dump(whole))
        new.replace(self.file)

    def start(self) -> None:
        program = [self.nodepool.program("nodepool-builder"), "-d", "-c", str(self.file), "--upload-workers", "1"]
        command = self.confined(program)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, env=self.environ(), stdout=log, stderr=subprocess.STDOUT)

    def stop(self) -> None:
        """Ask the builder to end, which waits for the build that it does; by force after STOP_TIMEOUT."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL the builder, and nothing that it started."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def count(self, pattern: str) -> int:
        """Return how many lines of the builder's log the pattern is found in."""
        return len([line for line in self.log.read_text(errors="replace").splitlines() if re.search(pattern, line)])

    def wait_for(self, pattern: str, times: int = 1, *, timeout: float) -> None:
        """Wait until the pattern is in ``times`` lines of the builder's log; fail with the end of it otherwise."""
        deadline = time.monotonic() + timeout
        while self.count(pattern) < times:
            assert self.process is not None
            over = time.monotonic() > deadline or self.process.poll() is not None
            assert not over, f"{pattern!r} is not {times} times in the log:\n{self.log.read_text()[-4000:]}"
            time.sleep(0.2)

    def built(self, image: str, times: int = 1, *, timeout: float = 120) -> None:
        self.wait_for(rf"DIB image {image} is built$", times, timeout=timeout)

    def failed(self, image: str, times: int = 1, *, timeout: float = 120) -> None:
        self.wait_for(rf"DIB failed creating {image} ", times, timeout=timeout)

    def list_images(self) -> list[dict[str, str]]:
        """Return the rows of ``nodepool dib-image-list``, oldest build first, each by its headings."""
        return self._table("dib-image-list")

    def list_uploads(self) -> list[dict[str, str]]:
        """Return the rows of ``nodepool image-list``."""
        return self._table("image-list")

    def wait_for_images(self, wanted: set[tuple[str, str]], *, timeout: float) -> None:
        """Wait until the builds are exactly these, (image, state) each once."""
        deadline = time.monotonic() + timeout
        while True:
            found = sorted((row["Image"], row["State"]) for row in self.list_images())
            if found == sorted(wanted):
                return
            assert time.monotonic() < deadline, found
            time.sleep(2)

    def wait_for_state(self, image: str, state: str, *, timeout: float) -> None:
        """Wait until a build of ``image`` is in this state. Nodepool forgets failed ones once a minute."""
        deadline = time.monotonic() + timeout
        while (image, state) not in {(row["Image"], row["State"]) for row in self.list_images()}:
            assert time.monotonic() < deadline, self.list_images()
            time.sleep(2)

    def wait_for_build_log(self, identity: str, text: str, *, timeout: float) -> None:
        """Wait until the log of the build ``IMAGE-NUMBER`` has this text."""
        log = self.folder / "builds" / f"{identity}.log"
        deadline = time.monotonic() + timeout
        while not log.exists() or text not in log.read_text(errors="replace"):
            assert time.monotonic() < deadline, log.read_text(errors="replace")[-4000:]
            time.sleep(0.2)

    def build_log(self, image: str, build: str) -> str:
        """Return the log of one build."""
        return (self.folder / "builds" / f"{image}-{build}.log").read_text(errors="replace")

    def failed_builds(self, image: str) -> list[str]:
        """Return the numbers of the builds that did not succeed, in their order."""
        logs = sorted((self.folder / "builds").glob(f"{image}-*.log"), key=lambda path: path.stat().st_mtime_ns)
        ended = {path: re.search(r"^Exit code: (-?\d+)$", path.read_text(errors="replace"), re.M) for path in logs}
        return [path.stem.removeprefix(f"{image}-") for path, code in ended.items() if code and code[1] != "0"]

    def uploadable(self) -> set[str]:
        """Return the names in images-dir that Nodepool takes for images: files with a suffix, but for its own."""
        return {path.name for path in self.images.iterdir() if path.is_file() and path.name != "builder_id.txt"}

    def environ(self) -> dict[str, str]:
        """Return the environment of Nodepool's programs."""
        # The gate beside this Python first: that is what an operator's PATH says.
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
        return {**os.environ, "PATH": path, "TMPDIR": str(self.temporary), **self.environment}

    def nodepool_command(self, *arguments: str) -> str:
        """Run ``nodepool`` with this configuration and return what it prints."""
        whole = [self.nodepool.program("nodepool"), "-c", str(self.file), *arguments]
        return subprocess.run(whole, env=self.environ(), check=True, stdout=subprocess.PIPE, text=True).stdout

    def _table(self, command: str) -> list[dict[str, str]]:
        said = self.nodepool_command(command)
        rows = [line.strip("|").split("|") for line in said.splitlines() if line.startswith("|")]
        head, *body = [[cell.strip() for cell in row] for row in rows]
        return [dict(zip(head, row, strict=True)) for row in body]


@contextlib.contextmanager
def launcher(builder: Builder) -> Iterator[str]:
    """Run a nodepool-launcher with the builder's configuration; give the URL of its web application, without TLS."""
    port = free_port()
    builder.configuration["webapp"] = {"port": port, "listen_address": "127.0.0.1"}
    builder.configure()
    log = builder.folder / "launcher.log"
    command = [builder.nodepool.program("nodepool-launcher"), "-d", "-c", str(builder.file)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=builder.environ(), stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer,
            ):
                assert answer.read() == b"OK"
                break
            over = time.monotonic() > deadline or process.poll() is not None
            assert not over, f"the launcher is not ready:\n{log.read_text()[-4000:]}"
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT)
