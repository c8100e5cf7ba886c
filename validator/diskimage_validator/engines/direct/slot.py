"""What the readers of partition tables share."""

from typing import Final

from diskimage_validator.engines.base import Partition
from diskimage_validator.frozen import dataclass

SECTOR: Final = 512
DEVICE: Final = "/dev/sda"
"""What libguestfs calls the first disk."""
BOOT_SIGNATURE: Final = b"\x55\xaa"
GPT_SIGNATURE: Final = b"EFI PART"


@dataclass(frozen=True)
class Slot:
    """One partition of the table, and what the table says of it besides.

    ``uuid`` and ``name`` are what PARTUUID= and PARTLABEL= of fstab(5) mean, empty if there is none. What cannot hold a
    file system (an extended partition) is a ``container``.
    """

    partition: Partition
    uuid: str = ""
    name: str = ""
    container: bool = False


def device_of(number: int) -> str:
    """Return libguestfs' name of a partition."""
    return f"{DEVICE}{number}"
