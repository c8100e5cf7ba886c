"""Whether KVM turned out to be worthless on this host, remembered until it is started again.

A ``/dev/kvm`` that opens says little: in a container or under nested virtualisation the guest may abort or hang all the
same, and a hang costs a minute each time. What an instruction run by ourselves would show is not what QEMU needs, and
could hang, too. So what counts is what happened: an appliance that died under KVM and then started without it.

The file is in the user's own cache folder (XDG Base Directory Specification) and holds for one boot, one QEMU and a
day: whoever mends KVM meanwhile runs ``doctor``, which tries it again.
"""

import json
import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Another one after each boot: random(4)."""
LIFETIME: Final = 24 * 60 * 60
"""Seconds."""
MAX_SIZE: Final = 4096
TCG_FEATURES: Final = "erms=off,smap=off"
"""What the processor had better not have where there is no KVM, as qemu(1) takes it after ``-cpu max,``: a fifth less
work for a boot of Debian 12. With ERMS Linux clears and copies memory by single bytes (arch/x86/lib/clear_page_64.S),
each of which is a step for TCG; with SMAP it opens and closes the user's memory around each copy."""


def remembered() -> str | None:
    """Return why KVM did not work earlier, None if nothing is known."""
    file = _file()
    if file is None:
        return None
    try:
        with file.open("rb") as stream:
            noted = json.loads(stream.read(MAX_SIZE))
        fresh = 0 <= time.time() - float(noted["time"]) < LIFETIME
        return str(noted["reason"]) if fresh and noted["host"] == _host() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(reason: str) -> None:
    """Note that KVM did not work. Where that cannot be written, the next run finds out for itself."""
    file = _file()
    if file is None:
        return
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(descriptor, "w") as stream:
            json.dump({"host": _host(), "time": time.time(), "reason": reason[:1000]}, stream)
        Path(name).replace(file)


def forget() -> None:
    """Forget what was noted."""
    file = _file()
    if file is not None:
        with suppress(OSError):
            file.unlink(missing_ok=True)


def _host() -> list[str]:
    """Return what a verdict is about: this boot, and the QEMU that libguestfs is told to use."""
    return [BOOT_ID.read_text().strip(), os.environ.get("LIBGUESTFS_HV", "")]


def cache_folder() -> Path | None:
    """Return the folder for what is worth remembering, None if the user has none. It need not be there."""
    stated = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(stated) if stated.startswith("/") else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "diskimage-validator"


def _file() -> Path | None:
    """Return the place of the file, None if the user has no folder for it."""
    folder = cache_folder()
    return folder / "kvm.json" if folder else None
