"""A node for tests of the ssh engine: parts of this host behind a real sshd, in a mount namespace and a chroot.

It has accounts of its own: ``root``, ``zuul`` who may use sudo, and ``guest`` who may not. Nothing of the host changes.
The keys in zuul's own ``.ssh/authorized_keys`` count, too.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.functional.traces import FORGET_LOOPS
from tests.support.sshd import Server, serve

PARTS = (
    "usr/bin",
    "usr/sbin",
    "usr/lib64",
    "usr/lib/openssh",
    "usr/lib/python3",
    "usr/libexec",
    "usr/share/ca-certificates",
    "var/lib/dpkg",
    "etc/alternatives",
    "etc/pam.d",
    "etc/security",
    "usr/lib/ssl",
)
BEFORE_1970 = -86400
LINKS = ("bin", "sbin", "lib", "lib64")
FILES = ("usr/lib/os-release", "etc/debian_version", "etc/ld.so.cache", "etc/nsswitch.conf", "etc/login.defs")
MOUNT = f"""\
{FORGET_LOOPS}set -e
root=$1; shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for part in $PARTS; do mount --bind "/$part" "$root/$part"; done
mount --bind "$FOLDER" "$root$FOLDER"
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Node:
    """``root`` is its root file system, as seen from inside the namespace of ``server``."""

    root: Path
    server: Server

    def inside(self, *command: str) -> str:
        """Run a command of the host where it sees the node's file systems below ``root``; return its output."""
        full = ["nsenter", "--mount", f"--target={self.server.process.pid}", f"--wd={Path.cwd()}", *command]
        return subprocess.run(full, check=True, stdout=subprocess.PIPE).stdout.decode(errors="surrogateescape")

    def inspect_as_folder(self) -> str:
        """Return the facts of the same tree as the directory engine reads it, as JSON."""
        command = [sys.executable, "-m", "diskimage_validator", "inspect", f"dir:{self.root}", "--quiet"]
        return self.inside(*command, "--format", "json")


@contextmanager
def run_node(folder: Path) -> Iterator[Node]:
    """Make the node in ``folder`` and start it. Needs root, as sshd does that lets others in."""
    assert os.geteuid() == 0, "these tests start an sshd for several accounts: run them as root"
    root, keys = folder / "root", folder / "sshd"
    _make_tree(root)
    keys.mkdir()
    (root / str(keys).lstrip("/")).mkdir(parents=True)
    parts = " ".join(part for part in _parts() if (root / part).is_dir())
    environment = ["env", f"PARTS={parts}", f"FOLDER={keys}"]
    wrapper = ["unshare", "--mount", "--propagation", "private", *environment, "sh", "-c", MOUNT, "sh", str(root)]
    settings = f"Match User zuul\nAuthorizedKeysFile {keys}/authorized_keys .ssh/authorized_keys"
    with serve(keys, settings=settings, wrapper=wrapper) as server:
        yield Node(root, server)


def _parts() -> list[str]:
    found = [path for pattern in ("*-linux-gnu", "python3.*") for path in Path("/usr/lib").glob(pattern)]
    return [*PARTS, *(str(path).lstrip("/") for path in found)]


def _make_tree(root: Path) -> None:
    for name in ("proc", "dev", "run/sshd", "tmp", "var/log", "root", "home", "srv", "etc/sudoers.d", "etc/ssh"):
        (root / name).mkdir(parents=True)
    for part in _parts():
        if Path("/", part).is_dir():
            (root / part).mkdir(parents=True, exist_ok=True)
    for name in LINKS:
        if Path("/", name).is_symlink():
            (root / name).symlink_to(Path("/", name).readlink())
    for name in FILES:
        if Path("/", name).is_file():
            shutil.copy(Path("/", name), root / name)
    shutil.copytree("/etc/ssl", root / "etc/ssl", symlinks=True)
    (root / "etc/hosts").write_text("127.0.0.1 localhost registry.internal other.internal\n")
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    (root / "etc/ssh/sshd_config").write_text("PasswordAuthentication no\n")
    (root / "etc/ssh/sshd_config").chmod(0o600)
    _make_accounts(root)
    _make_oddities(root / "srv")


def _make_accounts(root: Path) -> None:
    passwd = ["root:x:0:0::/root:/bin/bash", "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin"]
    for number, name in enumerate(("zuul", "guest"), 1001):
        passwd.append(f"{name}:x:{number}:{number}::/home/{name}:/bin/bash")
        home = root / "home" / name
        home.mkdir(mode=0o700)
        os.chown(home, number, number)
    names = [line.split(":")[0] for line in passwd]
    (root / "etc/passwd").write_text("".join(f"{line}\n" for line in passwd))
    (root / "etc/group").write_text("root:x:0:\nnogroup:x:65534:\nzuul:x:1001:\nguest:x:1002:\n")
    (root / "etc/shadow").write_text("".join(f"{name}:*:19000:0:99999:7:::\n" for name in names))
    (root / "etc/shadow").chmod(0o640)
    (root / "etc/sudoers").write_text("Defaults use_pty\nroot ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n")
    (root / "etc/sudoers.d/zuul").write_text("zuul ALL=(ALL) NOPASSWD: ALL\n")
    for path in (root / "etc/sudoers", root / "etc/sudoers.d/zuul"):
        path.chmod(0o440)


def _make_oddities(folder: Path) -> None:
    """Make entries that engines may see differently."""
    (folder / "absolute").symlink_to("/etc/shadow")
    (folder / "climbing").symlink_to("../../../../etc/passwd")
    (folder / "circle").symlink_to("circle")
    (folder / "nowhere").symlink_to("\udcff")
    Path(f"{folder}/not-utf8-\udcff").write_text("x")
    Path(f"{folder}/new\nline 'quoted' \\$(id)").write_text("y")
    (folder / ("n" * 255)).write_text("longest")
    (folder / "setuid").write_text("x")
    (folder / "setuid").chmod(0o4755)
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        here = os.open(folder, os.O_PATH)
        bound.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
    (folder / "closed").mkdir(mode=0o700)
    (folder / "closed/file").write_text("for root")
    (folder / "old").write_text("x")
    os.utime(folder / "old", ns=(10**9, 1_500_000_000))
    (folder / "before 1970").write_text("x")
    os.utime(folder / "before 1970", (0, BEFORE_1970))
