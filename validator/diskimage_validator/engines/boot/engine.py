"""The engine that boots an image and looks at the node: what only a start shows is shown, and the image stays as it is.

The machine is read and asked as any other node is, over SSH. It works on a throw-away overlay, on a closed network, and
accepts a key that exists for this run only.
"""

import shlex
import time
from types import TracebackType
from typing import ClassVar, Final

from diskimage_validator.engines import kvm
from diskimage_validator.engines.boot.config_drive import make_config_drive
from diskimage_validator.engines.boot.credentials import EXTRA, KeyPair, make_key, smbios_strings, tmpfiles_lines
from diskimage_validator.engines.boot.firmware import Flash, boots_by_bios, prepare_flash
from diskimage_validator.engines.boot.machine import Machine, MachineDiedError, Progress, accelerators
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.boot.overlay_key import OverlayWriter
from diskimage_validator.engines.boot.qemu import SERVED_ADDRESS, Drives
from diskimage_validator.engines.boot.waiting import telling, wait_for_host_key
from diskimage_validator.engines.overlay import SECTORS, Overlay
from diskimage_validator.engines.ssh.engine import SshEngine
from diskimage_validator.engines.ssh.options import Destination, SshOptions
from diskimage_validator.errors import EngineError, TargetError
from diskimage_validator.image_file import ImageFile, sha256_of
from diskimage_validator.login import Login
from diskimage_validator.model import TargetInfo

LOGIN_PATIENCE: Final = 120.0
"""Seconds from sshd's first answer to the log-in: PAM refuses early in a boot (pam_nologin(8))."""
ANSWER_TIMEOUT: Final = 120.0
"""Seconds for any answer of the node. Under TCG, a session takes some."""
PAUSE: Final = 1.0


class BootEngine(SshEngine):
    """The node that ``image`` becomes. Its files are those of the running system."""

    name: ClassVar[str] = "boot"

    def __init__(
        self,
        image: ImageFile,
        login: Login,
        options: BootOptions | None = None,
        *,
        has_esp: bool = False,
        progress: Progress | None = None,
    ) -> None:
        """Boot ``image`` to the end of its boot and log in as ``login`` says. ``has_esp``: it may start by UEFI.

        Raises EngineError, with the end of what its console said, if that does not work, UsageError if the serial log
        cannot be written.
        """
        self._image = image
        self._options = options or BootOptions()
        self._has_esp = has_esp
        self._machine: Machine | None = None
        self._overlay: Overlay | None = None
        self._logged_in = False
        try:
            self._boot(login, progress)
        except BaseException:
            self._release()
            raise
        self.target = TargetInfo(
            name=str(image.path),
            kind="disk-image",
            format=image.format,
            sha256=image.sha256,
            file_size=image.file_size,
            virtual_size=image.virtual_size,
        )

    def close(self) -> None:
        """Power the machine off, in order if that works, and remove everything. Calling it twice is harmless."""
        try:
            if self._machine and self._logged_in:
                problem = self._machine.power_down(self._ask_to_power_off)
                self.notes += [problem] if problem else []
        finally:
            self._release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._release()  # interrupted: nobody waits for an orderly shutdown of what is thrown away
        self.close()
        if kind is None and sha256_of(self._image.path) != self._image.sha256:
            raise TargetError(
                f"{self._image.path}: the file changed while the image was examined",
                "nothing here writes to it: validate a copy that nobody else uses",
            )

    def _boot(self, login: Login, progress: Progress | None) -> None:
        problems: list[str] = []
        for accelerator in accelerators():
            try:
                note = self._boot_once(accelerator, login, progress)
            except MachineDiedError as error:
                problems.append(f"{accelerator.upper()}: {error.message}")
                self._release()
                continue
            if problems:
                kvm.remember(problems[0])
            after = f", after {'; '.join(problems)}" if problems else ""
            self.notes = [*self._image.notes, f"booted under {accelerator.upper()}{after}: {note}"]
            return
        raise EngineError(f"the machine does not run: {'; '.join(problems)}")

    def _boot_once(self, accelerator: str, login: Login, progress: Progress | None) -> str:
        """Boot under one accelerator, on an overlay of its own; return how that went, in words."""
        overlay = self._overlay = Overlay(self._image, size=self._options.disk_size)
        folder = overlay.path.parent
        sector = overlay.sector_size()
        flash = self._flash(overlay, sector)
        key = make_key(folder)
        if login.way == "overlay":
            if progress:
                progress("giving the machine's disk the key of this run")
            with OverlayWriter(self._image, overlay) as writer:
                writer.add_key(login, key.public)
        credentials = {EXTRA: tmpfiles_lines(login, key.public)} if login.way == "credential" else {}
        drive = make_config_drive(folder, key.public if login.way == "config-drive" else "")
        drives = Drives(overlay.path, drive, flash, sector)
        machine = self._machine = Machine(accelerator, drives, self._options, smbios_strings(credentials))
        with telling(machine, progress):
            host_key = wait_for_host_key(machine, self._options.timeout)
            self._log_in(machine, login, key, host_key)
            answered = machine.seconds
            state = self._wait_for_end_of_boot(machine)
            self._name_what_is_served()
        firmware = "UEFI" if flash else "BIOS"
        entry = f"log-in as {login.user} ({login.way}) after {answered:.0f} s"
        return f"{firmware}, {entry}, end of the boot after {machine.seconds:.0f} s, {state}"

    def _flash(self, overlay: Overlay, sector: int) -> Flash | None:
        """Return UEFI, if the image is to be started with it; None for a BIOS. Raises EngineError if neither can."""
        firmware = self._options.firmware
        is_usual = sector == SECTORS[0]  # SeaBIOS drives no other disk: src/hw/virtio-blk.c
        if firmware == "auto":
            firmware = "uefi" if self._has_esp and not (is_usual and boots_by_bios(overlay.head())) else "bios"
        if firmware == "bios" and not is_usual:
            hint = "leave --boot-firmware out" if self._has_esp else "it would take an EFI system partition"
            raise EngineError(f"the disk is laid out for sectors of {sector} bytes, from which no BIOS boots", hint)
        return prepare_flash(overlay.path.parent) if firmware == "uefi" else None

    def _log_in(self, machine: Machine, login: Login, key: KeyPair, host_key: str) -> None:
        """Log in, as soon as the node lets anybody in."""
        options = SshOptions(key=key.private, config="none", host_keys=(host_key,), timeout=ANSWER_TIMEOUT)
        begin = machine.seconds
        while True:
            machine.check()
            try:
                super().__init__(Destination("127.0.0.1", machine.port, login.user), options)
                self._logged_in = True
                self._elevate()  # every node has something that only root reads, and asking twice takes twice as long
                return
            except MachineDiedError:
                raise
            except EngineError as error:
                if machine.seconds > min(begin + LOGIN_PATIENCE, self._options.timeout):
                    message = f"nobody can log in as {login.user}: {error.message}\n{machine.last_words()}"
                    raise EngineError(message, "see the whole of it with --serial-log FILE") from error
            time.sleep(PAUSE)

    def _wait_for_end_of_boot(self, machine: Machine) -> str:
        """Return systemd's word for the system's state, ``running`` or ``degraded``, once all its jobs are done."""
        left = max(self._options.timeout - machine.seconds, 1.0)
        try:
            self._rehearse()
            done = self.run(["systemctl", "is-system-running", "--wait"], timeout=left)
        except EngineError as error:
            machine.check()
            raise EngineError(
                f"the boot does not come to its end within {self._options.timeout:.0f} s: {error.message}\n"
                f"{machine.last_words()}",
                "a longer --boot-timeout may help; systemctl list-jobs on a node tells what it waits for",
            ) from error
        return done.stdout.strip() or "of unknown state"

    def _rehearse(self) -> None:
        """List the files while the boot comes to its end, for nothing but that the node then has them in its cache.

        Nothing of it is kept, for the boot goes on: neither what is listed, nor what the kernel has mounted by now.
        """
        self._list_all()
        self._kernel = None
        self.notes.clear()

    def _name_what_is_served(self) -> None:
        """Write the name of what is served into the node's hosts(5): there is no name server on its network."""
        if served := self._options.served:
            line = shlex.quote(f"{SERVED_ADDRESS} {served.name}")
            done = self.run(["sh", "-c", f"echo {line} >>/etc/hosts"], timeout=ANSWER_TIMEOUT, as_root=True)
            if done.status:
                raise EngineError(f"{served.name} cannot be written into /etc/hosts of the node: {done.stderr.strip()}")

    def _ask_to_power_off(self) -> None:
        self.run(["systemctl", "poweroff"], timeout=ANSWER_TIMEOUT, as_root=True)

    def _release(self) -> None:
        """Switch the machine off, if it runs, and remove its files."""
        machine, self._machine = self._machine, None
        overlay, self._overlay = self._overlay, None
        try:
            if machine:
                machine.kill()
            if machine and self._logged_in:
                self.notes += [machine.log_trouble] if machine.log_trouble else []
                super().close()
        finally:
            self._logged_in = False
            if overlay:
                overlay.close()
