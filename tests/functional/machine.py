"""Boot an image in QEMU on a throw-away overlay and talk to it over SSH. The image file is never written to."""

import logging
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko

from tests.functional.ports import free_port

BOOT_TIMEOUT = 420.0
SHUTDOWN_TIMEOUT = 120.0

# It logs a traceback for every try to log in to a machine that is still starting.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


@dataclass
class Machine:
    """A booted node: its serial log, its host key as seen on the wire, and a shell as the user that was asked for.

    ``port`` of 127.0.0.1 is its SSH server.
    """

    serial: Path
    host_key: paramiko.PKey
    client: paramiko.SSHClient
    boot_seconds: float
    port: int

    def run(self, command: str, timeout: float = 120) -> str:
        """Run a command and return its standard output, stripped. Fails the test if the command does."""
        _, stdout, stderr = self.client.exec_command(command, timeout=timeout)
        output, errors = stdout.read().decode(), stderr.read().decode()
        status = stdout.channel.recv_exit_status()
        assert status == 0, f"{command!r} ended with {status}: {errors or output}"
        return output.strip()


class _Record(paramiko.MissingHostKeyPolicy):
    """Accept the key of a machine that was made a minute ago, and remember it for the test to look at."""

    key: paramiko.PKey | None = None

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        self.key = key


def config_drive(folder: Path, metadata: str, network_data: str = "{}") -> Path:
    """Make an OpenStack config drive (ISO 9660, label config-2) with this meta_data.json and network_data.json."""
    latest = folder / "drive/openstack/latest"
    latest.mkdir(parents=True)
    (latest / "meta_data.json").write_text(metadata)
    (latest / "network_data.json").write_text(network_data)
    iso = folder / "config-2.iso"
    command = [
        "xorriso",
        "-as",
        "genisoimage",
        "-quiet",
        "-V",
        "config-2",
        "-J",
        "-r",
        "-o",
        str(iso),
        f"{folder}/drive",
    ]
    subprocess.run(command, check=True, capture_output=True)
    return iso


@contextmanager
def boot(
    image: Path,
    folder: Path,
    *,
    user: str,
    key: Path,
    drive: Path | None = None,
    network: str = "restrict=on",
    size: str = "",
) -> Iterator[Machine]:
    """Boot ``image`` (qcow2) and yield the machine once ``user`` can log in with ``key``; power it off in the end.

    ``network`` are options of QEMU's user network; by default it is closed but for SSH. ``size`` is that of the
    flavor's disk, e.g. ``80G``; by default the image's own. Runs under TCG: KVM does not work wherever tests run.
    """
    overlay = folder / "overlay.qcow2"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(image.resolve()), str(overlay)]
    subprocess.run([*command, size] if size else command, check=True)
    port = free_port()
    serial = folder / "serial.log"
    started = time.monotonic()
    process = subprocess.Popen(_qemu(overlay, serial, port, drive, network), stdin=subprocess.DEVNULL)
    try:
        client, host_key = _login(process, port, user, key, serial)
        try:
            yield Machine(serial, host_key, client, time.monotonic() - started, port)
            with suppress(paramiko.SSHException, EOFError):
                client.exec_command("sudo systemctl poweroff")
        finally:
            client.close()
        process.wait(SHUTDOWN_TIMEOUT)
    finally:
        process.kill()
        process.wait()


def _qemu(overlay: Path, serial: Path, port: int, drive: Path | None, network: str) -> list[str]:
    program = shutil.which("qemu-system-x86_64")
    assert program, "qemu-system-x86_64 is not installed: see bindep.txt"
    command = [program, "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048", "-nodefaults"]
    command += ["-display", "none", "-serial", f"file:{serial}", "-device", "virtio-rng-pci"]
    command += ["-drive", f"file={overlay},format=qcow2,if=virtio,cache=unsafe"]
    command += ["-netdev", f"user,id=net,{network},hostfwd=tcp:127.0.0.1:{port}-:22"]
    command += ["-device", "virtio-net-pci,netdev=net,mac=52:54:00:12:34:56"]
    if drive:
        command += ["-drive", f"file={drive},format=raw,if=virtio,readonly=on"]
    return command


def _login(
    process: subprocess.Popen[bytes], port: int, user: str, key: Path, serial: Path
) -> tuple[paramiko.SSHClient, paramiko.PKey]:
    """Log in, as soon as the machine lets us."""
    deadline = time.monotonic() + BOOT_TIMEOUT
    problem: Exception | None = None
    while time.monotonic() < deadline:
        assert process.poll() is None, f"QEMU ended with {process.returncode}:\n{_last_lines(serial)}"
        client = paramiko.SSHClient()
        record = _Record()
        client.set_missing_host_key_policy(record)
        try:
            client.connect(
                "127.0.0.1",
                port,
                user,
                key_filename=str(key),
                timeout=30,
                banner_timeout=60,
                auth_timeout=60,
                allow_agent=False,
                look_for_keys=False,
            )
        except (OSError, EOFError, paramiko.SSHException) as error:
            problem = error
            client.close()
            time.sleep(2)
            continue
        assert record.key is not None
        return client, record.key
    raise AssertionError(f"no login as {user} within {BOOT_TIMEOUT:.0f} s: {problem}\n{_last_lines(serial)}")


def _last_lines(serial: Path) -> str:
    return "\n".join(serial.read_text(errors="replace").splitlines()[-30:]) if serial.exists() else "(no serial output)"
