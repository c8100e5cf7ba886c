"""A running node has the disk of its flavor, and room for images of containers.

Multi-service builds of Kolla take a disk of 80 GB, with more than 60 GB free under ``/var/lib/docker`` or
``/var/lib/containers``. The image itself is small: it is the flavor that has to have them, so only a node tells.

``size`` is the least size of the disk that the root file system is on. ``free`` is more than what has to be free, to a
user other than root, under each of the two folders that is there, or on the root file system if neither is.

.. rubric:: Example

With this policy::

    live:
      disk:
        size: 80 GB
        free: 60 GB

a fresh node with a disk of 80 GB passes.

A node fails whose root file system did not grow to the disk, or whose disk is full of images.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.facts.live.space import Space
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.sizes import format_size

ID: Final = "live-disk"
TITLE: Final = "Room on a running node"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("live_space",)


def asked(policy: Policy) -> bool:
    """Whether the policy says how much room there has to be."""
    rules = policy.rules.live.disk
    return rules.size is not None or rules.free is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for the disk, and one for each place where containers are stored."""
    rules = question.rules.live.disk
    found = known(question.facts.live_space)
    if found is None:
        yield not_running("disk")
        return
    if rules.size is not None:
        yield _check_disk(found.disk, rules.size)
    for space in (found.spaces or (found.root,)) if rules.free is not None else ():
        yield _check_free(space, rules.free or 0)


def _check_disk(size: int | None, wanted: int) -> Finding:
    expected = f"at least {format_size(wanted)}"
    if size is None:
        message = "could not tell the size of the disk that the root file system is on"
        return Finding(
            "disk", Status.ERROR, message, expected, "unknown", "lsblk has to be there, and one disk below /"
        )
    passed = size >= wanted
    message = f"the disk has {format_size(size)}"
    hint = "" if passed else "choose a flavor with a larger disk in the node's label"
    return Finding("disk", Status.PASS if passed else Status.FAIL, message, expected, format_size(size), hint)


def _check_free(space: Space, wanted: int) -> Finding:
    expected, actual = f"more than {format_size(wanted)} free", f"{format_size(space.free)} free"
    passed = space.free > wanted
    message = f"{actual} of {format_size(space.size)} at {space.mountpoint}"
    hint = "" if passed else "grow the file system, prune images, or mount a larger disk there"
    return Finding(space.path, Status.PASS if passed else Status.FAIL, message, expected, actual, hint)
