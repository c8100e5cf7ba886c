"""What the machine starts with: a BIOS (SeaBIOS), or UEFI (edk2) for a disk that a BIOS finds nothing to start on.

Firmware is found by the descriptors that come with it, as libvirt finds it: docs/interop/firmware.json of QEMU. One
that insists on signatures is of no use to an image whose boot loader is signed by nobody it knows.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from diskimage_validator.engines.base import Disk
from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass

BOOT_CODE: Final = 440
"""Bytes in front of the disk signature: what a BIOS starts (UEFI specification, chapter 5.2.1, "BootCode")."""
ESP: Final = ("C12A7328-F81F-11D2-BA4B-00A0C93EC93B", "ef")
"""The type of an EFI system partition in a GPT, and in an MBR: chapters 5.3.3 and 5.2.2."""
DESCRIPTORS: Final = Path("/usr/share/qemu/firmware")
REMEDY: Final = "install ovmf (Debian, Ubuntu), edk2-ovmf (RHEL, Fedora) or qemu-ovmf-x86_64 (SUSE)"
UNWANTED: Final = frozenset(("secure-boot", "enrolled-keys", "requires-smm"))
FORMATS: Final = ("raw", "qcow2")
LIMIT: Final = 64 * 1024


@dataclass(frozen=True)
class Flash:
    """UEFI in two flash chips: its code, which is only read, and the machine's variables. Formats are QEMU's."""

    code: Path
    code_format: str
    variables: Path
    variables_format: str


def has_esp(disk: Disk | None) -> bool:
    """Whether ``disk`` has an EFI system partition. False where its partitions are not known."""
    return disk is not None and any(part.type in ESP for part in disk.partitions or ())


def boots_by_bios(head: bytes) -> bool:
    """Whether ``head``, the first sector of a disk, has anything for a BIOS to start."""
    return any(head[:BOOT_CODE])


def find_flash() -> Flash | None:
    """Return UEFI for the machine, its variables those of a new one; None if the host has none."""
    return next((flash for path in sorted(DESCRIPTORS.glob("*.json")) if (flash := _read(path))), None)


def prepare_flash(folder: Path) -> Flash:
    """Return UEFI with variables of its own in ``folder``. Raises EngineError if the host has none for the machine."""
    found = find_flash()
    if found is None:
        raise EngineError("the image boots by UEFI only, and there is no firmware for that here", REMEDY)
    variables = folder / "variables.fd"
    try:
        shutil.copyfile(found.variables, variables)
    except OSError as error:
        raise EngineError(f"{found.variables}: {error.strerror}", REMEDY) from error
    return Flash(found.code, found.code_format, variables, found.variables_format)


def _read(path: Path) -> Flash | None:
    """Return what the descriptor at ``path`` describes, None if that is nothing for our machine."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(LIMIT))
        mapping = found["mapping"]
        code, template = mapping["executable"], mapping["nvram-template"]
        flash = Flash(Path(code["filename"]), code["format"], Path(template["filename"]), template["format"])
        usable = (
            "uefi" in found["interface-types"]
            and mapping["device"] == "flash"
            and not UNWANTED & set(found["features"])
            and any(_is_ours(target) for target in found["targets"])
            and {flash.code_format, flash.variables_format} <= set(FORMATS)
            and flash.code.is_file()
        )
    except (OSError, ValueError, KeyError, TypeError):  # another device, a later format, half a package
        return None
    return flash if usable else None


def _is_ours(target: Mapping[str, Any]) -> bool:
    return target["architecture"] == "x86_64" and any(name.startswith("pc-q35-") for name in target["machines"])
