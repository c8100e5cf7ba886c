"""No log has more in it than the policy allows.

What is below ``/var/log`` in an image was logged by the build, or by a machine that the image was taken from: it
names hosts and users, takes space, and is found again in the logs of every node. That goes for the journal and for
``wtmp``, ``btmp`` and ``lastlog`` as well. ``max_log_size`` bounds each file by itself.

.. rubric:: Example

With this policy::

    hygiene:
      max_log_size: 4 KiB

an image passes whose logs are there, with the mode and owner that they need, and empty.

An image fails with a ``/var/log/dpkg.log`` of 300 KiB, or with any journal: those have 8 MiB at least.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import not_all_listed
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.sizes import format_size

ID: Final = "hygiene-logs"
TITLE: Final = "Logs"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("usage",)


def asked(policy: Policy) -> bool:
    """Whether the policy bounds logs."""
    return policy.rules.hygiene.max_log_size is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every log that is too large, or one pass."""
    usage = known(question.facts.usage)
    bound = question.rules.hygiene.max_log_size or 0
    expected = f"at most {format_size(bound)}"
    large = [log for log in usage.logs if log.size > bound]
    for log in large:
        size = format_size(log.size)
        hint = "empty it at the end of the build: truncate --size 0"
        yield Finding(log.path, Status.FAIL, f"{size}, but {expected} is allowed", expected, size, hint, log.path)
    # Logs come largest first: those that are not listed are too large only if all that are listed are.
    if usage.logs and len(large) == len(usage.logs):
        yield from not_all_listed("logs", len(usage.logs), usage.log_count, expected)
    if not large:
        message = f"{usage.log_count} are not empty, and small enough" if usage.log_count else "all are empty"
        yield Finding("logs", Status.PASS, message, expected, f"{usage.log_count} not empty")
