"""The system of a layout as its node has it: the disk's file systems mounted by the kernel, behind a real sshd.

All of it is in a mount namespace of its own, which ends with the sshd. The system's programs are stubs, so a shell on
the node is the host's; SFTP's server and find(1) are the host's, too, but see the system alone: they are chrooted, with
their libraries in a file system on /dev, which is no part of a disk.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.functional.layouts import MIB, Layout, Part
from tests.functional.traces import FORGET_LOOPS
from tests.support.sshd import SFTP_SERVER, Server, serve

LVM_START: Final = MIB
"""Where the first extent of a physical volume is by default: lvm.conf(5), default_data_alignment."""
OPTIONS: Final = {"ext3": "noload", "ext4": "noload", "xfs": "norecovery,nouuid"}
MOUNT: Final = f"""\
{FORGET_LOOPS}set -e
root=$1; tools=$2; shift 2
. "$tools/mounts"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/dev"
mknod -m 666 "$root/dev/null" c 1 3
cp -a "$tools/inside" "$root/dev/tools"
mount --bind "$tools/bin" /usr/local/sbin
exec "$@"
"""


@dataclass(frozen=True)
class Mounted:
    """``root`` is where the system is mounted, for whoever is in the namespace of ``server``."""

    root: Path
    server: Server

    def inspect_as_folder(self) -> str:
        """Return the facts that the directory engine reads, as JSON."""
        command = ["nsenter", "--mount", f"--target={self.server.process.pid}", f"--wd={Path.cwd()}", sys.executable]
        command += ["-m", "diskimage_validator", "inspect", f"dir:{self.root}", "--quiet", "--format", "json"]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def mounted(disk: Path, layout: Layout, folder: Path, *, shell: bool) -> Iterator[Mounted]:
    """Mount the raw image ``disk`` read-only and run the server.

    Without ``shell`` its accounts have SFTP alone, so that nobody can name all files at once.
    """
    root, tools = folder / "root", folder / "tools"
    root.mkdir(parents=True)
    (tools / "bin").mkdir(parents=True)
    inside = _copy_programs(tools / "inside", ("/usr/bin/find", SFTP_SERVER))
    into = f"chroot {root} {' '.join(inside)}"
    (tools / "bin/find").write_text(f'#!/bin/sh\nexec {into} /dev/tools/find "$@"\n')
    (tools / "bin/find").chmod(0o755)
    (tools / "mounts").write_text("".join(f"{line}\n" for line in _mounts(disk, layout, folder, root)))
    wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, "sh", str(root), str(tools)]
    sftp = f"{into} /dev/tools/sftp-server"
    settings = f"Subsystem sftp {sftp}" + ("" if shell else f"\nForceCommand {sftp}")
    with serve(folder / "sshd", settings=settings, wrapper=wrapper) as server:
        yield Mounted(root, server)


def _copy_programs(folder: Path, programs: tuple[str, ...]) -> list[str]:
    """Copy ``programs`` and what they are linked with; return the words that start one, in front of its path."""
    folder.mkdir()
    loader = ""
    for program in programs:
        listed = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
        libraries = [word for word in listed.split() if word.startswith("/")]
        subprocess.run(["cp", "--dereference", program, *libraries, str(folder)], check=True)
        loader = next(Path(library).name for library in libraries if "/ld-" in library)
    return [f"/dev/tools/{loader}", "--library-path", "/dev/tools"]


def _mounts(disk: Path, layout: Layout, folder: Path, root: Path) -> Iterator[str]:
    """Yield the shell commands that mount ``layout`` at ``root``, parents first."""
    offset = 0 if layout.table == "none" else MIB
    places: dict[str, str] = {}
    for number, part in enumerate(layout.parts):
        if part.type == "vfat":
            # The kernel may have no vfat: what is in it is read by mtools, and is there as long as the namespace.
            files = folder / f"vfat-{number}"
            files.mkdir()
            copy = ["mcopy", "-s", "-i", f"{disk}@@{offset}", "::*", str(files)]
            subprocess.run(copy, check=True, env={"MTOOLS_SKIP_CHECK": "1", "PATH": "/usr/bin"})
            places[part.mountpoint] = f"mount --bind '{files}' '{root}{part.mountpoint}'"
        else:
            for place, options in _options(part):
                start = offset + (LVM_START if part.type == "lvm" else 0)
                what = f"loop,ro,offset={start},sizelimit={part.size * MIB - (start - offset)}"
                places[place] = f"mount -o {','.join([what, *options])} '{disk}' '{root}{place}'"
        offset += part.size * MIB
    yield from (places[place] for place in sorted(places))


def _options(part: Part) -> list[tuple[str, list[str]]]:
    """Return where the kernel mounts ``part``, and how."""
    if part.type == "btrfs":
        return [(place, [f"subvol={path}"]) for path, place in part.subvolumes if place]
    options = OPTIONS.get("xfs" if part.type == "lvm" else part.type)
    return [(part.mountpoint, [options])] if options and part.mountpoint else []
