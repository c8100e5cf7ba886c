"""The image file has the format that the policy asks for.

``format`` is ``qcow2`` or ``raw``: clouds whose storage is Ceph want raw images, others qcow2. ``compat`` lists the
versions of qcow2 that are allowed: ``1.1``, or the old ``0.10``, which nodepool-builder writes by default.
``compression`` lists what the clusters may be compressed with: ``zlib``, ``zstd``, or ``none``. QEMU before 5.1
cannot read zstd, and an image that is not compressed takes two to three times as long to upload. Version and
compression are those of qcow2 and are passed over for a raw image.

.. rubric:: Example

With this policy::

    disk:
      format: qcow2
      compat: ["1.1"]
      compression: [zlib, zstd]

an image passes that ``qemu-img convert -c -O qcow2`` wrote.

An image fails that is raw, or that was converted without ``-c``.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "disk-format"
TITLE: Final = "Format of the image"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("disk",)

_QCOW2: Final = "qcow2"


def asked(policy: Policy) -> bool:
    """Whether the policy says anything about the format."""
    disk = policy.rules.disk
    return any(rule is not None for rule in (disk.format, disk.compat, disk.compression))


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every rule about the format."""
    rules = question.rules.disk
    disk = known(question.facts.disk)
    if disk is None:
        yield Finding("format", Status.SKIP, "the target is no disk image")
        return
    if rules.format is not None:
        yield _finding("format", disk.format, [rules.format], f"qemu-img convert -O {rules.format}")
    if disk.format != _QCOW2:
        return
    if rules.compat is not None:
        hint = f"qemu-img convert -O qcow2 -o compat={rules.compat[-1]}"
        yield _finding("qcow2 version", disk.compat, rules.compat, hint)
    if rules.compression is not None:
        best = rules.compression[0]
        hint = "qemu-img convert -O qcow2" + ("" if best == "none" else f" -c -o compression_type={best}")
        yield _finding("compression", disk.compression, rules.compression, hint)


def _finding(subject: str, actual: str | None, allowed: Sequence[str], hint: str) -> Finding:
    expected = " or ".join(allowed)
    if actual is None:
        return Finding(subject, Status.ERROR, f"could not tell the {subject}", expected, "unknown")
    if actual in allowed:
        return Finding(subject, Status.PASS, f"{actual} is allowed", expected, actual)
    return Finding(subject, Status.FAIL, f"{actual} is not allowed", expected, actual, hint)
