"""The disk has the layout and the sizes that the policy asks for.

``min_virtual_size`` and ``max_virtual_size`` bound the disk as the virtual machine sees it, ``max_file_size`` the
image file, ``max_used`` what is in use on the root file system, ``min_free`` and ``min_free_inodes`` what is free
there before it grows on first boot. ``partition_table`` and ``root_filesystem`` list what is allowed. Sizes need a
unit: ``10 GiB`` is binary, ``10 GB`` decimal.

``clean`` wants every ext, xfs and btrfs file system that the image mounts to have been unmounted in order, without
known errors. A node would repair it on its first boot, or stop there and wait for somebody to do it.

A factory's builder node needs 80 GB, but its image does not: the root file system grows to the *flavor's* disk on first
boot. So bound the image from above here, and the flavor from below in the label of the node.

.. rubric:: Example

With this policy::

    disk:
      max_virtual_size: 20 GiB
      partition_table: [mbr, gpt]
      root_filesystem: [ext4, xfs]
      clean: true

a 4 GiB image with an MBR and one ext4 partition passes.

An image of 40 GiB fails, and so does one that has its file system on the bare disk, or whose journal was not replayed.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.disk import DiskFacts, Filesystem
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.system import DiskRules
from diskimage_validator.sizes import format_size

ID: Final = "disk"
TITLE: Final = "Disk"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("disk",)

_RULES: Final = (
    "min_virtual_size",
    "max_virtual_size",
    "max_file_size",
    "max_used",
    "min_free",
    "min_free_inodes",
    "partition_table",
    "root_filesystem",
)
"""What this check answers; the rest of the section is for others. ``clean`` is no limit, and on its own."""
_JUDGED: Final = ("ext2", "ext3", "ext4", "xfs", "btrfs")


def asked(policy: Policy) -> bool:
    """Whether the policy bounds the disk."""
    disk = policy.rules.disk
    return disk.clean or any(getattr(disk, name) is not None for name in _RULES)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every rule about the disk."""
    rules = question.rules.disk
    disk = known(question.facts.disk)
    if disk is None:
        yield Finding("disk", Status.SKIP, "the target is no disk image")
        return
    yield from _check_sizes(rules, disk)
    root = disk.root
    if rules.min_free_inodes is not None:
        yield _check_inodes(root, rules.min_free_inodes)
    if rules.clean:
        yield from _check_clean(disk)
    if rules.partition_table is not None:
        yield _check_choice("partition table", disk.partition_table, rules.partition_table)
    if rules.root_filesystem is not None:
        yield _check_choice("root file system", root.type if root else None, rules.root_filesystem)


def _check_sizes(rules: DiskRules, disk: DiskFacts) -> Iterator[Finding]:
    root = disk.root
    free = root.free if root else None
    used = root.size - root.free if root and root.size is not None and root.free is not None else None
    bounds = (
        ("virtual size", disk.virtual_size, rules.min_virtual_size, rules.max_virtual_size),
        ("file size", disk.file_size, None, rules.max_file_size),
        ("used space of the root file system", used, None, rules.max_used),
        ("free space of the root file system", free, rules.min_free, None),
    )
    for subject, actual, least, most in bounds:
        if least is not None:
            ok = actual is None or actual >= least
            yield _size_finding(subject, actual, f"at least {format_size(least)}", ok)
        if most is not None:
            ok = actual is None or actual <= most
            yield _size_finding(subject, actual, f"at most {format_size(most)}", ok)


def _check_inodes(root: Filesystem | None, least: int) -> Finding:
    subject, expected = "free inodes of the root file system", f"at least {least}"
    if root is None or root.inodes is None or root.free_inodes is None:
        return _unknown(subject, expected)
    if root.inodes == 0:
        return Finding(subject, Status.PASS, f"{root.type} makes inodes as they are needed", expected, "unlimited")
    ok = root.free_inodes >= least
    message = f"{root.free_inodes} of {root.inodes}, {'and' if ok else 'but'} {expected} are asked for"
    return Finding(subject, Status.PASS if ok else Status.FAIL, message, expected, str(root.free_inodes))


def _check_clean(disk: DiskFacts) -> Iterator[Finding]:
    judged = [one for one in disk.filesystems if one.mountpoint is not None and one.type in _JUDGED]
    for filesystem in judged:
        subject, expected = f"state of {filesystem.mountpoint}", "clean"
        if filesystem.clean is None:
            yield _unknown(subject, expected)
        elif filesystem.clean:
            yield Finding(subject, Status.PASS, f"{filesystem.type} was unmounted in order", expected, expected)
        else:
            message = f"{filesystem.type} was not unmounted in order, or has errors"
            hint = "unmount it before the image is converted: it was written to, or the build was interrupted"
            yield Finding(subject, Status.FAIL, message, expected, "not clean", hint)
    if not judged:
        yield _unknown("state of the file systems", "clean")


def _size_finding(subject: str, actual: int | None, expected: str, ok: bool) -> Finding:
    if actual is None:
        return _unknown(subject, expected)
    status = Status.PASS if ok else Status.FAIL
    text = format_size(actual)
    return Finding(subject, status, f"{text}, {'and' if ok else 'but'} {expected} is asked for", expected, text)


def _check_choice(subject: str, actual: str | None, allowed: Sequence[str]) -> Finding:
    expected = " or ".join(allowed)
    if actual is None:
        return _unknown(subject, expected)
    ok = actual in allowed
    message = f"{actual} is allowed" if ok else f"{actual} is not allowed"
    return Finding(subject, Status.PASS if ok else Status.FAIL, message, expected, actual)


def _unknown(subject: str, expected: str) -> Finding:
    return Finding(subject, Status.ERROR, f"could not tell the {subject}", expected, "unknown")
