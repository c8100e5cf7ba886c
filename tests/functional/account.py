"""An account that is not root and has sudo without a password, as a builder's: ``nobody``, for as long as a test runs.

What makes ``nobody`` that account, a file below /etc/sudoers.d, is mounted in a mount namespace, mount_namespaces(7):
it is so for the processes in there, and for no others of the host.
"""

import contextlib
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.functional.traces import FORGET_LOOPS
from tests.functional.unprivileged import NOBODY, server_folder

ROOT: Final = Path(__file__).parents[2]
GROUP: Final = "nogroup"
SUDOERS: Final = f"{NOBODY} ALL=(ALL) NOPASSWD: ALL\n"


@dataclass(frozen=True)
class Account:
    """``folder`` belongs to the account; ``holder`` is a process that keeps the mount namespace."""

    folder: Path
    holder: int

    def command(self, command: Sequence[str], confined: Callable[[list[str]], list[str]] = list) -> list[str]:
        """Return what runs ``command`` as the account, by becoming it: the process is the command's.

        ``confined`` returns what does something as root before that, by becoming what it is given.
        """
        enter = ["nsenter", f"--target={self.holder}", "--mount", f"--wd={self.folder}", "--"]
        become = ["setpriv", f"--reuid={NOBODY}", f"--regid={GROUP}", "--clear-groups", "--", *command]
        return [*enter, *confined(become)]

    def mounts(self) -> list[str]:
        """Return what is mounted in the namespace."""
        return Path(f"/proc/{self.holder}/mounts").read_text().splitlines()


@contextlib.contextmanager
def account(*, sudo: bool = True) -> Iterator[Account]:
    """Give the account, with a right to ``sudo`` or without."""
    with server_folder() as hidden, server_folder() as folder:
        file = hidden / "sudoers.d/builder"
        file.parent.mkdir()
        file.write_text(SUDOERS if sudo else "")
        file.chmod(0o440)
        script = f"{FORGET_LOOPS}set -e; mount --bind {file.parent} /etc/sudoers.d; {_reachable(hidden)}echo; exec cat"
        holding = ["unshare", "--mount", "sh", "-c", script]
        with subprocess.Popen(holding, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"\n"
            yield Account(folder, holder.pid)


def _reachable(folder: Path) -> str:
    """Return shell by which everybody may enter what the tests run from. tox, for one, keeps its folder to itself.

    Where a folder on the way is closed, an empty one that is open is mounted over it, and the tree into that.
    ``folder`` is an empty one, for the time between.
    """
    trees = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    closed = {above for tree in trees for above in tree.parents if not above.stat().st_mode & 0o001}
    kept, made = "", ""
    for path in sorted(closed | trees, key=lambda path: len(path.parts)):
        place = shlex.quote(str(path))
        if path in closed:
            made += f"mount -t tmpfs -o mode=0755 open {place}; "
        elif closed.intersection(path.parents):
            copy = folder / str(len(kept))
            kept += f"mkdir {copy}; mount --bind {place} {copy}; "
            made += f"mkdir -p {place}; mount --bind {copy} {place}; "
    return kept + made
