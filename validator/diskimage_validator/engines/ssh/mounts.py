"""Which folders of a running node are the kernel's. SFTP tells no device, but mountinfo does (proc(5))."""

import re
from typing import Final

from diskimage_validator.engines.base import KERNEL_FOLDERS

MOUNTINFO: Final = "/proc/self/mountinfo"
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


def kernel_mounts(mountinfo: bytes) -> frozenset[str]:
    """Return those of KERNEL_FOLDERS that are mount points of another device than the root's. The last mount counts."""
    devices: dict[str, bytes] = {}
    for line in mountinfo.split(b"\n"):
        fields = line.split(b" ")
        if len(fields) > 5:
            point = _OCTAL.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), fields[4])
            devices[point.decode("utf-8", "surrogateescape")] = fields[2]
    return frozenset(path for path in KERNEL_FOLDERS if path in devices and devices[path] != devices.get("/"))
