"""Whether this host can run the engines and ask about readiness, and what mends it if not.

The questions are those that users lose days on: no Python binding in the virtual environment, no kernel or an
unreadable one, no supermin, no QEMU, KVM there but unusable. The last question is put to the engine itself: start.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from diskimage_validator.digest import digest_of
from diskimage_validator.engines import kvm
from diskimage_validator.engines.appliance import KVM, launch
from diskimage_validator.engines.binding import load_guestfs
from diskimage_validator.engines.boot import config_drive, firmware
from diskimage_validator.engines.boot.config_drive import find_maker
from diskimage_validator.engines.boot.firmware import find_flash
from diskimage_validator.engines.boot.qemu import REMEDY, find_machine, find_qemu
from diskimage_validator.engines.direct.qemu_nbd import QemuNbd
from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass
from diskimage_validator.image_file import ImageFile
from diskimage_validator.process import find_program
from diskimage_validator.temporary import TemporaryFolder

BOOT: Final = Path("/boot")
MODULES: Final = Path("/lib/modules")
SCRATCH_SIZE: Final = 1024 * 1024
READINESS: Final = "readiness"
"""Stands for an engine in what is asked for the command ``readiness``."""
QEMU_UTILS: Final = "qemu-utils (Debian, Ubuntu), qemu-img (RHEL, Fedora) or qemu-tools (SUSE)"


@dataclass(frozen=True)
class Diagnosis:
    """One answer. ``ok`` is False if ``engine`` cannot run because of it; ``remedy`` is what to do, if anything."""

    engine: str
    subject: str
    ok: bool
    message: str
    remedy: str = ""


def diagnose(*, start: bool = True, progress: Callable[[str], None] | None = None) -> list[Diagnosis]:
    """Return the diagnoses for every engine and for READINESS, in the order in which their causes build on each other.

    With ``start`` an appliance is really started, if nothing else is wrong; that takes some ten seconds without KVM.
    """
    programs = {"qemu-img": QEMU_UTILS, "qemu-nbd": QEMU_UTILS, "setpriv": "util-linux"}
    direct = [_program("direct", name, package) for name, package in programs.items()]
    if all(diagnosis.ok for diagnosis in direct):
        direct.append(_serve())
    found = [_program("guestfs", "qemu-img", QEMU_UTILS), _binding(), _qemu(), _supermin(), _kernel(), _kvm("guestfs")]
    if start and all(diagnosis.ok for diagnosis in found):
        found.append(_launch(progress))
    programs = {"qemu-img": QEMU_UTILS, "prlimit": "util-linux", "setpriv": "util-linux"}
    boot = [_program("boot", name, package) for name, package in programs.items()]
    return [*direct, *found, *boot, _machine(), _config_drive(), _firmware(), _kvm("boot"), *_readiness()]


def _program(engine: str, name: str, package: str) -> Diagnosis:
    program = find_program(name)
    if program:
        return Diagnosis(engine, name, ok=True, message=str(program))
    return Diagnosis(engine, name, ok=False, message="not installed", remedy=f"install {package}")


def _readiness() -> list[Diagnosis]:
    """OpenSSL is a must for endpoints with TLS, the others only for some lines of a ``factory.yaml``."""
    images = _for_some("skopeo", "sizes of container images (storage.images) cannot be told")
    return [
        _program(READINESS, "openssl", "openssl"),
        images,
        _for_some("git", "repositories (services.git) cannot be asked"),
    ]


def _for_some(name: str, without: str) -> Diagnosis:
    found = _program(READINESS, name, f"the package {name}")
    if found.ok:
        return found
    return Diagnosis(READINESS, name, ok=True, message=f"not there: {without}", remedy=f"for those: {found.remedy}")


def _serve() -> Diagnosis:
    """Have qemu-nbd serve an empty file, which takes it some milliseconds."""
    try:
        with TemporaryFolder() as folder:
            path = folder.path / "disk.raw"
            path.touch()
            os.truncate(path, SCRATCH_SIZE)
            server = QemuNbd(ImageFile(path, "raw", SCRATCH_SIZE, SCRATCH_SIZE, digest_of(path)))
            server.close()
    except EngineError as error:
        return Diagnosis("direct", "start", ok=False, message=error.message, remedy=error.hint)
    return Diagnosis("direct", "start", ok=True, message="; ".join(server.notes) or "qemu-nbd serves, without network")


def _binding() -> Diagnosis:
    try:
        module = load_guestfs()
    except EngineError as error:
        return Diagnosis("guestfs", "Python binding", ok=False, message=error.message, remedy=error.hint)
    version = module.GuestFS(python_return_dict=True).version()
    text = f"libguestfs {version['major']}.{version['minor']}.{version['release']} from {module.__file__}"
    return Diagnosis("guestfs", "Python binding", ok=True, message=text)


def _qemu() -> Diagnosis:
    program = find_qemu()
    if program:
        return Diagnosis("guestfs", "QEMU", ok=True, message=str(program))
    return Diagnosis("guestfs", "QEMU", ok=False, message="not installed", remedy=REMEDY)


def _machine() -> Diagnosis:
    try:
        return Diagnosis("boot", "QEMU", ok=True, message=str(find_machine()))
    except EngineError as error:
        return Diagnosis("boot", "QEMU", ok=False, message=error.message, remedy=error.hint)


def _config_drive() -> Diagnosis:
    if maker := find_maker():
        return Diagnosis("boot", "config drive", ok=True, message=f"made by {' '.join(maker)}")
    return Diagnosis("boot", "config drive", ok=False, message="no program makes one", remedy=config_drive.REMEDY)


def _firmware() -> Diagnosis:
    """UEFI is a must only for an image that a BIOS cannot start."""
    if flash := find_flash():
        return Diagnosis("boot", "UEFI", ok=True, message=str(flash.code))
    message = "not there: images that only UEFI starts are declined"
    return Diagnosis("boot", "UEFI", ok=True, message=message, remedy=f"for those: {firmware.REMEDY}")


def _supermin() -> Diagnosis:
    if os.environ.get("LIBGUESTFS_PATH"):
        message = f"not needed: LIBGUESTFS_PATH={os.environ['LIBGUESTFS_PATH']} names a fixed appliance"
        return Diagnosis("guestfs", "supermin", ok=True, message=message)
    program = find_program("supermin")
    if program:
        return Diagnosis("guestfs", "supermin", ok=True, message=str(program))
    return Diagnosis("guestfs", "supermin", ok=False, message="not installed", remedy="install the package supermin")


def kernels() -> Iterator[tuple[Path, bool]]:
    """Yield (kernel, readable) for every kernel that supermin could boot: one in /boot that has its modules."""
    for path in sorted(BOOT.glob("vmlinuz-*")):
        if (MODULES / path.name.removeprefix("vmlinuz-")).is_dir():
            yield path, os.access(path, os.R_OK)


def _kernel() -> Diagnosis:
    found = list(kernels())
    readable = [path for path, is_readable in found if is_readable]
    if readable:
        return Diagnosis("guestfs", "kernel", ok=True, message=str(readable[-1]))
    if found:
        names = ", ".join(str(path) for path, _ in found)
        remedy = f"let this user read it: chmod 0644 {found[-1][0]} (Ubuntu: dpkg-statoverride keeps it so)"
        return Diagnosis("guestfs", "kernel", ok=False, message=f"not readable: {names}", remedy=remedy)
    remedy = "install a kernel for the appliance, e.g. linux-image-cloud-amd64; it need not be the running one"
    message = f"no {BOOT}/vmlinuz-VERSION with {MODULES}/VERSION"
    return Diagnosis("guestfs", "kernel", ok=False, message=message, remedy=remedy)


def _kvm(engine: str) -> Diagnosis:
    """KVM is never a must: without it the machine runs under TCG."""
    if not KVM.exists():
        return Diagnosis(engine, "KVM", ok=True, message="not there: the machine runs under TCG, more slowly")
    if not os.access(KVM, os.R_OK | os.W_OK):
        remedy = "for speed: add this user to the group kvm"
        return Diagnosis(engine, "KVM", ok=True, message="no access: the machine runs under TCG", remedy=remedy)
    reason = kvm.remembered()
    if engine == "guestfs" and reason is not None:
        remedy = "nothing, unless KVM works by now: the start below tries it again, and forgets this if it does"
        message = f"{KVM} opens, but did not work earlier ({reason}): it is left out for a day, or until the next boot"
        return Diagnosis(engine, "KVM", ok=True, message=message, remedy=remedy)
    return Diagnosis(engine, "KVM", ok=True, message=f"{KVM} opens; whether it works shows when it is used")


def _launch(progress: Callable[[str], None] | None) -> Diagnosis:
    """Start an appliance, also under a KVM that did not work earlier: that is noted anew if it is still so."""
    kvm.forget()
    try:
        handle, notes = launch(lambda handle: handle.add_drive_scratch(SCRATCH_SIZE), progress=progress)
    except EngineError as error:
        remedy = "see what it says: LIBGUESTFS_DEBUG=1 libguestfs-test-tool"
        return Diagnosis("guestfs", "start", ok=False, message=error.message, remedy=remedy)
    handle.close()
    return Diagnosis("guestfs", "start", ok=True, message="; ".join(notes) or "the appliance starts")
