"""What the benchmarks have in common: the image, a folder for scratch, and the commands that several of them run."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from benchmarks.measure import Case

from diskimage_validator import open_target

POLICY = "container-node"
VERDICTS = (0, 1)
"""Exit statuses of a validation that came to a verdict."""


@dataclass(frozen=True)
class Setup:
    """One run: a qcow2 ``image``, how often each command runs, and a ``scratch`` folder that goes away.

    ``node`` is an ssh:// target, or empty; ``ssh_config`` the file that says how to log in, if that is not the user's.
    ``tcg``: no virtual machine uses KVM, whoever starts it.
    """

    image: Path
    rounds: int
    scratch: Path
    node: str = ""
    ssh_config: str = ""
    tcg: bool = False

    @property
    def libguestfs(self) -> tuple[tuple[str, str], ...]:
        """The environment of everything that uses libguestfs."""
        settings = (("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg"),) if self.tcg else ()
        return (("LIBGUESTFS_BACKEND", "direct"), *settings)

    @cached_property
    def boot(self) -> tuple[tuple[str, str], ...]:
        """The environment of our boot engine: with ``tcg`` it remembers that KVM does not work on this host."""
        if not self.tcg:
            return ()
        cache = ("XDG_CACHE_HOME", str(self.scratch / "cache"))
        remember = "from diskimage_validator.engines import kvm; kvm.remember('--tcg')"
        subprocess.run([sys.executable, "-c", remember], check=True, env=os.environ | dict([cache]))
        return (cache,)

    def ours(
        self, engine: str, *targets: str, options: tuple[str, ...] = (), name: str = "", policy: str = POLICY
    ) -> Case:
        """Return a validation under the full shipped policy, by the engine; of the image unless targets are named."""
        command = [sys.executable, "-m", "diskimage_validator", "validate", *(targets or [str(self.image)])]
        command += ["--policy", policy, "--engine", engine, "--quiet", *options]
        environment = {"guestfs": self.libguestfs, "boot": self.boot}.get(engine, ())
        return Case(name or f"diskimage-validator, {engine}", command, good=VERDICTS, environment=environment)

    def tool(self, name: str, program: str, *arguments: str, package: str) -> Case:
        """Return a program of somebody else's, missing if this host does not have it."""
        found = shutil.which(program)
        missing = "" if found else f"install {package}"
        return Case(name, [found or program, *arguments], missing=missing, environment=self.libguestfs)

    def virt_inspector(self) -> Case:
        """Return the peer: it lists what is in the image, and judges nothing."""
        arguments = ("--no-icon", "--format=qcow2", "-a", str(self.image))
        return self.tool("virt-inspector", "virt-inspector", *arguments, package="libguestfs-tools")

    @cached_property
    def root_device(self) -> str:
        """The device that the root file system is on, by libguestfs' name."""
        with open_target(str(self.image), engine="direct") as engine:
            disk = engine.disk()
            assert disk is not None
            return next(filesystem.device for filesystem in disk.filesystems if filesystem.mountpoint == "/")

    def convert(self, name: str, *options: str) -> Path:
        """Return a copy of the image in the scratch folder, made by qemu-img convert with ``options``."""
        target = self.scratch / name
        if not target.exists():
            subprocess.run(["qemu-img", "convert", "-f", "qcow2", *options, str(self.image), str(target)], check=True)
        return target
