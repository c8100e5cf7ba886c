"""One virtual machine, from power-on to nothing left: its process, its channel, its console.

Whether KVM works shows when it is used: QEMU may end at once, or the guest may hang before its first instruction. So a
machine under KVM is watched, and one that dies or says nothing is started again under TCG, QEMU's software emulation.
"""

import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from diskimage_validator.engines import kvm
from diskimage_validator.engines.appliance import KVM
from diskimage_validator.engines.boot import qemu
from diskimage_validator.engines.boot.console import Console
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.boot.qmp import Qmp
from diskimage_validator.errors import EngineError
from diskimage_validator.process.beside import Service

SHOWN: Final = 15
"""Lines of the console in an error."""
FIRST_WORD: Final = 10.0
"""Seconds after which SeaBIOS has said something under a KVM that works: it takes less than one."""
SILENCE: Final = 60.0
"""Seconds that a guest under KVM may say nothing. What is slow in a boot says so, with a timer."""
POWERDOWN_TIMEOUT: Final = 60.0
"""Seconds for an orderly shutdown. Under TCG, systemd takes ten."""
SSH: Final = 22
COUNTDOWN: Final = "The highlighted entry will be executed automatically"
"""What GRUB's menu says meanwhile: grub-core/normal/menu_text.c."""
Progress = Callable[[str], None]


class MachineDiedError(EngineError):
    """The machine ended, or hangs; the message says how."""


class Machine:
    """A running QEMU. ``port`` is the one on 127.0.0.1 that leads to the guest's SSH."""

    def __init__(self, accelerator: str, drives: qemu.Drives, options: BootOptions, strings: Sequence[str]) -> None:
        """Power on. Raises EngineError if there is no QEMU, MachineDiedError if it ends at once."""
        self.accelerator = accelerator
        self._started = time.monotonic()
        program = qemu.find_machine()
        ours, theirs = socket.socketpair()
        self._qmp: Qmp | None = None
        self._has_skipped = False
        with theirs:
            command = qemu.command(program, accelerator, drives, options, strings, theirs.fileno())
            try:
                self._service = Service(
                    command, limits=qemu.limits(options), offline=False, talks=True, inherits=[theirs.fileno()]
                )
            except BaseException:
                ours.close()
                raise
        try:
            self._console = Console(self._service.output, options.serial_log)
        except BaseException:
            ours.close()
            self._service.stop()
            self._service.output.close()
            raise
        try:
            self._qmp = Qmp(ours)
            self.port = self._qmp.forwarded_port(SSH)
        except BaseException as error:
            ours.close()
            ended = not self._service.is_running or self._service.wait(1.0)
            self.kill()
            if isinstance(error, EngineError) and ended:
                raise MachineDiedError(self.last_line() or error.message) from error
            raise

    def check(self) -> None:
        """Raise MachineDiedError if the machine has ended or hangs in a way that only a broken KVM explains."""
        if not self._service.is_running:
            self.kill()  # so that all it said is read
            raise MachineDiedError(f"QEMU ended: {self.last_line() or 'it said nothing'}")
        if self.accelerator == "kvm":
            silent = time.monotonic() - self._console.silent_since
            if silent > (SILENCE if self._console.size else FIRST_WORD):
                raise MachineDiedError(f"nothing on the console for {silent:.0f} s")

    def skip_menu(self) -> None:
        """Press Enter, once, where GRUB counts down to what it is going to boot: nobody is there to choose."""
        if not self._has_skipped and self._qmp and COUNTDOWN in self.last_line():
            self._has_skipped = True
            with suppress(EngineError):  # then the menu is waited for, or ``check`` says that the machine has ended
                self._qmp.execute("human-monitor-command", **{"command-line": "sendkey ret"})

    @property
    def seconds(self) -> float:
        """How long ago it was powered on."""
        return time.monotonic() - self._started

    def last_line(self) -> str:
        """Return the newest line of the console."""
        return next(iter(self._console.lines(1)), "")

    def last_words(self) -> str:
        """Return the end of what the console said, for an error: lines, cleaned."""
        lines = [f"  {line}" for line in self._console.lines(SHOWN)]
        words = ["the console's last lines:", *lines] if lines else ["no console output"]
        return "\n".join([*words, self.log_trouble] if self.log_trouble else words)

    @property
    def log_trouble(self) -> str:
        """Why the serial log has not got all that the console said; empty if it has, or if nobody wants one."""
        return self._console.trouble

    def power_down(self, ask: Callable[[], None]) -> str:
        """Shut down in order: ``ask`` the guest, press its power button, pull the plug. Return what did not work.

        ``ask`` may raise EngineError.
        """
        with suppress(EngineError):
            ask()
            if self._service.wait(POWERDOWN_TIMEOUT):
                return ""
        with suppress(EngineError):
            if self._qmp:
                self._qmp.execute("system_powerdown")
            if self._service.wait(POWERDOWN_TIMEOUT):
                return "the machine did not power off when asked over SSH; it did by ACPI"
        return "the machine did not power off, neither when asked over SSH nor by ACPI, and was switched off"

    def kill(self) -> None:
        """End the process, if it runs, and close everything. Calling it twice is harmless."""
        self._service.stop()
        qmp, self._qmp = self._qmp, None
        if qmp:
            qmp.close()
        self._console.close()


def accelerators() -> tuple[str, ...]:
    """Return what to try, in this order. KVM is left out for a while where it did not work (``kvm.py``)."""
    usable = os.access(KVM, os.R_OK | os.W_OK) and qemu.is_native() and kvm.remembered() is None
    return ("kvm", "tcg") if usable else ("tcg",)
