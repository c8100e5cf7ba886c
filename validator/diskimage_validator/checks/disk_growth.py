"""The root file system can grow to the flavor's disk, and will, on first boot.

A factory's builder nodes need 80 GB, and their image has a few. ``grows_to`` is the size of the flavor's disk in the
label of the node. For the root to fill it,

- the image must not be larger than that disk;
- the partition table must reach that far: MBR ends at 2 TiB;
- the root's partition must be the last one, since partitions grow into free space behind them only, and no logical one,
  since nothing grows the extended partition around it. A file system on the bare disk needs no partition;
- something has to grow the partition on boot: cloud-init's module ``growpart`` with ``/usr/bin/growpart``, the service
  of DIB's element ``growroot``, growroot in the initial RAM disk, or systemd-repart;
- something has to grow the file system: cloud-init's module ``resizefs`` with ``resize2fs``, ``xfs_growfs`` or
  ``btrfs``, the service ``growroot``, which grows ext4 only, or the mount option ``x-systemd.growfs``;
- an ext4 file system without the feature ``64bit`` ends at 2^32 blocks, which is 16 TiB with 4 KiB each.

A root on LVM fails: none of these grows a logical volume.

.. rubric:: Example

With this policy::

    disk:
      grows_to: 80 GB

an image passes with one ext4 partition, cloud-init, ``growpart`` and ``resize2fs``.

An image fails whose swap partition lies behind the root's, or whose root is XFS and which has DIB's ``growroot``
without cloud-init.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.disk import DiskFacts, Filesystem
from diskimage_validator.facts.growth import Grower, Growth
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.sizes import format_size

ID: Final = "disk-growth"
TITLE: Final = "Growth on first boot"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("disk", "growth")

MBR_LIMIT: Final = 2**32 * 512
"""Bytes: 32 bits count sectors of 512."""
_EXT: Final = ("ext2", "ext3", "ext4")
_GROW_HINT: Final = (
    "install cloud-init and growpart (cloud-guest-utils, cloud-utils-growpart), or DIB's element growroot"
)


def asked(policy: Policy) -> bool:
    """Whether the policy says how large the flavor's disk is."""
    return policy.rules.disk.grows_to is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for each thing that growing depends on."""
    wanted = question.rules.disk.grows_to or 0
    disk = known(question.facts.disk)
    if disk is None:
        yield Finding("growth", Status.SKIP, "the target is no disk image")
        return
    growth = known(question.facts.growth)
    root = disk.root
    yield _check_size(disk, wanted)
    if root is None or disk.partitions is None:
        yield Finding(
            "root partition", Status.ERROR, "could not tell where the root file system is", "known", "unknown"
        )
        return
    yield _check_table(disk, wanted)
    if disk.partitions:
        yield _check_partition(root, disk)
        yield _check_growers("growing the partition", [one for one in growth.growers if one.partition], _GROW_HINT)
    yield _check_filesystem(root, growth)
    if root.type in _EXT:
        yield _check_ext(root, wanted)


def _check_size(disk: DiskFacts, wanted: int) -> Finding:
    size, expected = format_size(disk.virtual_size), f"at most {format_size(wanted)}"
    if disk.virtual_size > wanted:
        message = "the image is larger than the flavor's disk, so that no node starts"
        return Finding("flavor's disk", Status.FAIL, message, expected, size, "build a smaller image: DIB_IMAGE_SIZE")
    return Finding("flavor's disk", Status.PASS, f"{size}, to grow to {format_size(wanted)}", expected, size)


def _check_table(disk: DiskFacts, wanted: int) -> Finding:
    expected = f"reaches {format_size(wanted)}"
    if disk.partition_table == "mbr" and wanted > MBR_LIMIT:
        message, hint = f"MBR ends at {format_size(MBR_LIMIT)}", "use GPT: block-device-efi or block-device-gpt"
        return Finding("partition table", Status.FAIL, message, expected, "mbr", hint)
    return Finding(
        "partition table", Status.PASS, f"{disk.partition_table} reaches that far", expected, disk.partition_table
    )


def _check_partition(root: Filesystem, disk: DiskFacts) -> Finding:
    subject, expected = "root partition", "the last partition"
    partition = disk.root_partition
    if partition is None:
        message = f"the root file system is on {root.device}, which is no partition: nothing grows what is below it"
        return Finding(subject, Status.FAIL, message, expected, root.device, "put the root on a partition of its own")
    behind = [one for one in disk.partitions or () if one.start > partition.start]
    if behind:
        message = f"{behind[0].device} lies behind {root.device}, and leaves it no room to grow into"
        return Finding(subject, Status.FAIL, message, expected, root.device, "make the root's partition the last one")
    if disk.partition_table == "mbr" and partition.number > 4:
        message = f"{root.device} is a logical partition: nothing grows the extended one around it"
        return Finding(subject, Status.FAIL, message, expected, root.device, "use a primary partition, or GPT")
    return Finding(subject, Status.PASS, f"{root.device} is the last one", expected, root.device)


def _check_filesystem(root: Filesystem, growth: Growth) -> Finding:
    subject = "growing the file system"
    fitting = [one for one in growth.growers if root.type in one.filesystems]
    if fitting or not any(one.filesystems or not one.partition for one in growth.growers):
        return _check_growers(subject, fitting, _GROW_HINT)
    message = f"nothing in the image grows {root.type}: tools that are there: {', '.join(growth.tools) or 'none'}"
    hint = "install resize2fs (e2fsprogs), xfs_growfs (xfsprogs) or btrfs (btrfs-progs), and cloud-init to call it"
    return Finding(subject, Status.FAIL, message, "happens on first boot", "none", hint)


def _check_growers(subject: str, growers: list[Grower], hint: str) -> Finding:
    expected = "happens on first boot"
    working = [one.name for one in growers if not one.fault]
    if working:
        return Finding(subject, Status.PASS, f"done by {' and '.join(working)}", expected, working[0])
    message = "; ".join(f"{one.name} does not work: {one.fault}" for one in growers) or "nothing in the image does it"
    return Finding(subject, Status.FAIL, message, expected, "none", hint)


def _check_ext(root: Filesystem, wanted: int) -> Finding:
    subject, expected = f"limit of {root.type}", f"reaches {format_size(wanted)}"
    if root.features is None or root.block_size is None:
        return Finding(
            subject, Status.ERROR, "could not tell the features of the root file system", expected, "unknown"
        )
    limit = 2**32 * root.block_size
    if "64bit" not in root.features and wanted > limit:
        message = f"without the feature 64bit it ends at {format_size(limit)}"
        return Finding(subject, Status.FAIL, message, expected, format_size(limit), "mkfs.ext4 -O 64bit")
    return Finding(subject, Status.PASS, "it reaches that far", expected, "64bit" if "64bit" in root.features else "")
