"""A real sshd on loopback, with its own host key, configuration and port, in a folder of its own."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from diskimage_validator.engines.ssh.options import Destination, SshOptions

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass(frozen=True)
class Server:
    """``key`` is the private key that it lets in as ``user``; ``host_key`` the line to pin it with."""

    folder: Path
    port: int
    host_key: str
    key: Path
    process: subprocess.Popen[bytes]
    user: str = pwd.getpwuid(os.getuid()).pw_name

    @property
    def url(self) -> str:
        return f"ssh://{self.user}@127.0.0.1:{self.port}"

    @property
    def destination(self) -> Destination:
        return Destination("127.0.0.1", self.port, self.user)

    def options(self, **changes: object) -> SshOptions:
        """Return options that are enough to log in: nothing of the user's own configuration counts."""
        given = {"key": self.key, "config": "none", "host_keys": (self.host_key,), "timeout": 20.0, **changes}
        return SshOptions(**given)  # type: ignore[arg-type]

    def as_user(self, user: str) -> "Server":
        """Return the same server, for another account."""
        return replace(self, user=user)

    def sessions(self) -> list[int]:
        """Return the process ids of the connections that are open."""
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in found.split()]

    @property
    def fingerprint(self) -> str:
        return keygen("-l", "-f", str(self.folder / "host_ed25519.pub")).split()[1]


def keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], check=True, capture_output=True, text=True).stdout


def make_key(path: Path, *, kind: str = "ed25519", passphrase: str = "") -> Path:
    keygen("-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path))
    return path


@contextmanager
def serve(
    folder: Path, *, settings: str = "", host_keys: tuple[str, ...] = ("ed25519",), wrapper: Sequence[str] = ()
) -> Iterator[Server]:
    """Run a server that lets everybody in with a new key; end it, and its sessions, afterwards.

    ``wrapper`` is a command that starts another one, the server, where the folder is to be found by the same name.
    """
    program = shutil.which("sshd", path="/usr/sbin:/usr/bin")
    assert program, "sshd is not installed: see bindep.txt"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for kind in host_keys:
        if not (folder / f"host_{kind}").exists():
            make_key(folder / f"host_{kind}", kind=kind)
    key = folder / "id"
    if not key.exists():
        make_key(key)
    (folder / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
    (folder / "authorized_keys").chmod(0o644)
    made = os.getuid() == 0 and not PRIVILEGE_SEPARATION.exists()
    if made:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    config = folder / "sshd_config"
    lines = [f"HostKey {folder}/host_{kind}" for kind in host_keys]
    lines += [f"Port {port}", "ListenAddress 127.0.0.1", "PidFile none", "UsePAM no", "StrictModes no"]
    lines += [f"AuthorizedKeysFile {folder}/authorized_keys", "PasswordAuthentication no", "LogLevel ERROR"]
    if "Subsystem" not in settings:
        lines.append(f"Subsystem sftp {SFTP_SERVER}")
    config.write_text("\n".join(lines) + f"\n{settings}\n")
    with (folder / "log").open("wb") as log:
        command = [*wrapper, program, "-D", "-e", "-f", str(config)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
    try:
        _wait(process, port, folder / "log")
        public = " ".join((folder / f"host_{host_keys[0]}.pub").read_text().split()[:2])
        yield Server(folder, port, public, key, process)
    finally:
        process.terminate()
        process.wait(10)
        if made:
            PRIVILEGE_SEPARATION.rmdir()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"sshd does not listen: {log.read_text()}")
