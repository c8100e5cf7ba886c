"""Boot an image with the boot engine's own machine and talk to it over SSH. The image file is never written to."""

import base64
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import paramiko

from diskimage_validator.engines.boot import machine as engine
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.boot.qemu import Drives
from diskimage_validator.engines.boot.waiting import wait_for_host_key
from diskimage_validator.engines.overlay import Overlay
from diskimage_validator.image_file import examine

BOOT_TIMEOUT = 420.0

# It logs a traceback for every try to log in to a machine that is still starting.
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


@dataclass
class Machine:
    """A booted node: its host key as seen on the wire, ``TYPE BASE64``, and a shell as the user that was asked for.

    ``port`` of 127.0.0.1 is its SSH server.
    """

    host_key: str
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


@contextmanager
def boot(
    image: Path, folder: Path, *, user: str, key: Path, drive: Path | None = None, closed: bool = True, size: int = 0
) -> Iterator[Machine]:
    """Boot ``image`` and yield the machine once ``user`` can log in with ``key``; power it off in the end.

    ``folder`` gets its serial log. ``closed`` is the machine's network but for SSH. ``size`` is that of the flavor's
    disk, in bytes, by default the image's own. Runs under TCG: KVM does not work wherever tests run.
    """
    options = BootOptions(timeout=BOOT_TIMEOUT, serial_log=folder / "serial.log", closed=closed)
    overlay = Overlay(examine(image), size=size)
    try:
        machine = engine.Machine("tcg", Drives(overlay.path, drive), options, ())
        try:
            host_key = wait_for_host_key(machine, BOOT_TIMEOUT)
            client = _login(machine, host_key, user, key)
            try:
                yield Machine(host_key, client, machine.seconds, machine.port)
                assert machine.power_down(lambda: _power_off(client)) == ""
            finally:
                client.close()
        finally:
            machine.kill()
    finally:
        overlay.close()


def _power_off(client: paramiko.SSHClient) -> None:
    with suppress(paramiko.SSHException, EOFError):
        client.exec_command("sudo systemctl poweroff")


def _login(machine: engine.Machine, host_key: str, user: str, key: Path) -> paramiko.SSHClient:
    """Log in, as soon as the machine lets us."""
    kind, _, content = host_key.partition(" ")
    problem: Exception | None = None
    while machine.seconds < BOOT_TIMEOUT:
        machine.check()
        client = paramiko.SSHClient()
        known = paramiko.PKey.from_type_string(kind, base64.b64decode(content))
        client.get_host_keys().add(f"[127.0.0.1]:{machine.port}", kind, known)
        try:
            client.connect(
                "127.0.0.1",
                machine.port,
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
        return client
    raise AssertionError(f"no login as {user} within {BOOT_TIMEOUT:.0f} s: {problem}\n{machine.last_words()}")
