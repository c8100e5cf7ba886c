"""The disk has the layout and the sizes that the policy asks for.

``min_virtual_size`` and ``max_virtual_size`` bound the disk as the virtual machine sees it, ``max_file_size`` the image
file, ``min_free`` the free space of the root file system before it grows on first boot. ``partition_table`` and
``root_filesystem`` list what is allowed. Sizes need a unit: ``10 GiB`` is binary, ``10 GB`` decimal.

A factory's builder node needs 80 GB, but its image does not: the root file system grows to the *flavor's* disk on first
boot. So bound the image from above here, and the flavor from below in the label of the node.

.. rubric:: Example

With this policy::

    disk:
      max_virtual_size: 20 GiB
      partition_table: [mbr, gpt]
      root_filesystem: [ext4, xfs]

a 4 GiB image with an MBR and one ext4 partition passes.

An image of 40 GiB fails, and so does one that has its file system on the bare disk.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.disk import DiskFacts
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.system import DiskRules
from diskimage_validator.sizes import format_size

ID: Final = "disk"
TITLE: Final = "Disk"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("disk",)


def asked(policy: Policy) -> bool:
    """Whether the policy bounds the disk."""
    return policy.rules.disk != DiskRules()


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every rule about the disk."""
    rules = question.rules.disk
    disk = known(question.facts.disk)
    if disk is None:
        yield Finding("disk", Status.SKIP, "the target is no disk image")
        return
    yield from _check_sizes(rules, disk)
    root = disk.root
    if rules.partition_table is not None:
        yield _check_choice("partition table", disk.partition_table, rules.partition_table)
    if rules.root_filesystem is not None:
        yield _check_choice("root file system", root.type if root else None, rules.root_filesystem)


def _check_sizes(rules: DiskRules, disk: DiskFacts) -> Iterator[Finding]:
    free = disk.root.free if disk.root else None
    bounds = (
        ("virtual size", disk.virtual_size, rules.min_virtual_size, rules.max_virtual_size),
        ("file size", disk.file_size, None, rules.max_file_size),
        ("free space of the root file system", free, rules.min_free, None),
    )
    for subject, actual, least, most in bounds:
        if least is not None:
            ok = actual is None or actual >= least
            yield _size_finding(subject, actual, f"at least {format_size(least)}", ok)
        if most is not None:
            ok = actual is None or actual <= most
            yield _size_finding(subject, actual, f"at most {format_size(most)}", ok)


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
