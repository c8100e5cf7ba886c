import pytest

from diskimage_validator.engines.superblock import is_clean, parse_tune2fs

FIELDS = {"Filesystem state": "clean", "Filesystem features": "has_journal extent 64bit", "Block size": "4096"}


def test_a_clean_ext4() -> None:
    found = parse_tune2fs(FIELDS)
    assert (found.clean, found.block_size, found.features) == (True, 4096, ("has_journal", "extent", "64bit"))


@pytest.mark.parametrize(
    "fields",
    [
        {"Filesystem state": "not clean"},
        {"Filesystem state": "clean with errors"},
        {"Filesystem features": "has_journal needs_recovery extent"},
        {"Filesystem state": ""},
    ],
)
def test_an_ext4_that_is_not_clean(fields: dict[str, str]) -> None:
    assert parse_tune2fs(FIELDS | fields).clean is False


def test_fields_that_are_missing_or_odd() -> None:
    assert parse_tune2fs({}).clean is False
    assert parse_tune2fs({"Block size": "many"}).block_size is None


class Appliance:
    """A handle that only has the kernel's log, in which our sda may be called sdb."""

    def __init__(self, log: str, sda: str = "sda") -> None:
        self.log = log
        self.sda = sda

    def mountable_device(self, mountable: str) -> str:
        length = 3 if mountable.startswith("btrfsvol:") else 4
        return "/".join(mountable.removeprefix("btrfsvol:").split("/")[:length]).replace("sda", self.sda)

    def is_lv(self, device: str) -> bool:
        return not device.startswith("/dev/sd")

    def lvuuid(self, device: str) -> str:
        return {"/dev/rl/swap": "a-1", "/dev/rl/root": "b-2"}[device]

    def lvs_full(self) -> list[dict[str, object]]:
        return [{"lv_uuid": "a1", "lv_kernel_minor": 0}, {"lv_uuid": "b2", "lv_kernel_minor": 1}]

    def dmesg(self) -> str:
        return self.log


XFS = "XFS (sda1): Mounting V5 Filesystem\n"
BTRFS = "BTRFS info (device sda1): using free space tree\n"


@pytest.mark.parametrize(
    ("log", "device", "kind", "expected"),
    [
        (XFS + "XFS (sda1): Ending clean mount\n", "/dev/sda1", "xfs", True),
        (XFS + "XFS (sda1): Starting recovery (logdev: internal)\n", "/dev/sda1", "xfs", False),
        (XFS + "XFS (sda1): Starting recovery\nXFS (sda1): Ending clean mount\n", "/dev/sda1", "xfs", False),
        ("XFS (sda2): Ending clean mount\n", "/dev/sda1", "xfs", None),
        ("", "/dev/sda1", "xfs", None),
        (BTRFS, "btrfsvol:/dev/sda1/root", "btrfs", True),
        (BTRFS + "BTRFS info (device sda1): start tree-log replay\n", "/dev/sda1", "btrfs", False),
        ("XFS (sda1): Ending clean mount\n", "/dev/sda1", "vfat", None),
        ("XFS (dm-1): Ending clean mount\n", "/dev/rl/root", "xfs", True),
        ("XFS (dm-0): Ending clean mount\n", "/dev/rl/root", "xfs", None),
    ],
)
def test_what_the_kernel_logs(log: str, device: str, kind: str, expected: bool | None) -> None:
    assert is_clean(Appliance(log), device, kind) is expected


def test_the_appliance_may_call_the_disk_by_another_name() -> None:
    log = "XFS (sdb1): Starting recovery\nXFS (sda1): Ending clean mount\n"
    assert is_clean(Appliance(log, sda="sdb"), "/dev/sda1", "xfs") is False
