"""The kernel of a running node has enough entropy for keys and TLS.

A virtual machine without ``virtio-rng`` may wait long for its first random bytes, and so does everything that makes
keys on first boot. ``min_entropy`` is the least number of bits that ``/proc/sys/kernel/random/entropy_avail`` shows.
Since Linux 5.18 that is 256 once the generator is seeded, and it never falls again.

.. rubric:: Example

With this policy::

    live:
      min_entropy: 256

a node with Linux 6.1 passes once its generator is seeded.

A node fails that has seen too few interrupts since it booted, and has no ``virtio-rng``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-entropy"
TITLE: Final = "Entropy of a running node"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("live_kernel",)


def asked(policy: Policy) -> bool:
    """Whether the policy says how much there has to be."""
    return policy.rules.live.min_entropy is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding."""
    wanted = question.rules.live.min_entropy or 0
    kernel = known(question.facts.live_kernel)
    if kernel is None:
        yield not_running("entropy")
        return
    expected, actual = f"at least {wanted} bits", f"{kernel.entropy} bits"
    if kernel.entropy >= wanted:
        yield Finding("entropy", Status.PASS, f"the kernel has {actual}", expected, actual)
        return
    hint = "give the flavor a random number generator (hw_rng:allowed), or install rng-tools"
    yield Finding("entropy", Status.FAIL, f"the kernel has only {actual}", expected, actual, hint)
