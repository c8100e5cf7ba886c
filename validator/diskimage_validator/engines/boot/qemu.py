"""The machine as a command line of QEMU: what a flavor of an OpenStack cloud gives a node, and no more of the host.

Virtio disk and network on q35, as Nova makes them; no display, no sound, no USB. The user network is closed
(``restrict=on``, qemu(1)): the guest reaches nothing but what a rule names, and only we reach its port 22. QEMU itself
runs under seccomp and may not start programs, but for the one that serves a registry.
"""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from diskimage_validator.engines import kvm, overlay
from diskimage_validator.engines.boot.config_drive import MAC
from diskimage_validator.engines.boot.firmware import Flash
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass
from diskimage_validator.process import Limits

FOLDERS: Final = ("/usr/bin", "/usr/libexec")
"""RHEL keeps qemu-kvm off PATH."""
REMEDY: Final = "install qemu-system-x86 (Debian, Ubuntu), qemu-kvm (RHEL, Fedora) or qemu-x86 (SUSE)"
MACHINE: Final = "x86_64"
SERVED_ADDRESS: Final = "10.0.2.100"
"""Where the guest finds what is served: an address of QEMU's user network, 10.0.2.0/24, that nobody else has there."""
SMBIOS: Final = ("manufacturer=OpenStack Foundation", "product=OpenStack Nova")
"""How ds-identify and cloud-init know a server of OpenStack: cloud-init's DataSourceOpenStack."""
OVERHEAD: Final = 4 << 30
"""Address space besides the guest's memory, in bytes: translated code (1 GiB), threads and libraries."""
MAX_WRITTEN: Final = 32 << 30
"""Bytes that the overlay may grow to. A guest that fills its disk is stopped here, not by the host's last block."""
RELAY: Final = Path(__file__).with_name("relay.py")


@dataclass(frozen=True)
class Drives:
    """Files of the machine: the overlay of the image, a config drive (ISO 9660) if there is one, UEFI unless BIOS.

    ``sector`` is that of the image's disk, in bytes.
    """

    overlay: Path
    config: Path | None = None
    flash: Flash | None = None
    sector: int = 512


def find_qemu() -> Path | None:
    """Return QEMU's program for this host's architecture, None if there is none."""
    for name in (f"qemu-system-{platform.machine()}", "qemu-kvm"):
        for folder in FOLDERS:
            if os.access(f"{folder}/{name}", os.X_OK):
                return Path(folder) / name
    return None


def is_native() -> bool:
    """Whether this host's processor is of the machine's architecture, so that KVM can run it."""
    return platform.machine() == MACHINE


def find_machine() -> Path:
    """Return the QEMU that boots images of the architecture x86_64. Raises EngineError with the remedy if none."""
    candidates = [Path(folder) / f"qemu-system-{MACHINE}" for folder in FOLDERS]
    if is_native() and (own := find_qemu()):
        return own
    found = next((path for path in candidates if os.access(path, os.X_OK)), None)
    if found is None:
        raise EngineError(f"no qemu-system-{MACHINE}", REMEDY)
    return found


def limits(options: BootOptions) -> Limits:
    """Return the limits of the QEMU process. Its time is limited by our patience, not by the processor's."""
    return Limits(address_space=options.memory + OVERHEAD, cpu_seconds=None, file_size=MAX_WRITTEN)


def command(
    program: Path, accelerator: str, drives: Drives, options: BootOptions, strings: Sequence[str], control: int
) -> list[str]:
    """Return the command line.

    ``accelerator`` is ``kvm`` or ``tcg``; ``strings`` are those of SMBIOS type 11; ``control`` is the descriptor of
    the channel for QMP. The serial console is QEMU's standard output.
    """
    # What QEMU starts for a connection inherits its filter, and begins with setsid(2), which elevateprivileges forbids.
    more = "" if options.served else ",elevateprivileges=deny,spawn=deny"
    sandbox = f"on,obsolete=deny,resourcecontrol=deny{more}"
    line = [str(program), "-nodefaults", "-no-user-config", "-display", "none", "-sandbox", sandbox]
    # graphics=off: SeaBIOS talks on the serial console, so even a machine that boots nothing says something.
    line += ["-machine", "q35,graphics=off", "-accel", accelerator + (",thread=multi" if accelerator == "tcg" else "")]
    line += ["-cpu", "host" if accelerator == "kvm" else f"max,{kvm.TCG_FEATURES}", "-smp", str(options.processors)]
    line += ["-m", f"{options.memory >> 20}M"]
    line += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
    line += ["-chardev", f"socket,id=control,fd={control}", "-mon", "chardev=control,mode=control"]
    line += ["-device", "virtio-rng-pci"]
    # cache=unsafe: the overlay is thrown away, so nobody needs its bytes to reach the platter.
    disk = f"file={_doubled(str(drives.overlay))},format={overlay.FORMAT},if=none,id=disk,cache=unsafe,discard=unmap"
    sector = drives.sector
    sizes = "" if sector == overlay.SECTORS[0] else f",logical_block_size={sector},physical_block_size={sector}"
    line += ["-drive", disk, "-device", f"virtio-blk-pci,drive=disk,bootindex=0{sizes}"]
    if drives.config:
        drive = f"file={_doubled(str(drives.config))},format=raw,if=none,id=config,readonly=on"
        line += ["-drive", drive, "-device", "virtio-blk-pci,drive=config"]
    if flash := drives.flash:
        code = f"file={_doubled(str(flash.code))},format={flash.code_format},if=pflash,unit=0,readonly=on"
        variables = f"file={_doubled(str(flash.variables))},format={flash.variables_format},if=pflash,unit=1"
        line += ["-drive", code, "-drive", variables]
    line += ["-netdev", _network(options), "-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile="]
    line += ["-smbios", ",".join(["type=1", *SMBIOS])]
    for text in strings:
        line += ["-smbios", f"type=11,value={_doubled(text)}"]
    return line


def _network(options: BootOptions) -> str:
    """Return QEMU's user network. Port 0: the host's kernel chooses one, and QMP tells which."""
    parts = [f"user,id=net,restrict={'on' if options.closed else 'off'},ipv6=off,hostfwd=tcp:127.0.0.1:0-:22"]
    if served := options.served:
        # A program for each connection: a channel to a port would carry only one, and registries are asked several.
        program = [sys.executable, "-I", "-S", str(RELAY), served.host, str(served.host_port)]
        parts.append(f"guestfwd=tcp:{SERVED_ADDRESS}:{served.port}-cmd:{_doubled(shlex.join(program))}")
    return ",".join(parts)


def _doubled(value: str) -> str:
    """Protect a comma, which ends a value on QEMU's command line."""
    return value.replace(",", ",,")
