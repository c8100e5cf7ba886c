"""The target is made for one machine, and for the one that the policy names.

What dpkg says of its base packages is held against the ELF headers of ``/bin/sh`` and ``/sbin/init``; they have to
agree. Machines are named as ``uname -m`` names them: ``x86_64``, ``aarch64``, ``ppc64le``, ``s390x``. Without
``architecture`` in the policy any machine will do, as long as all signs agree.

.. rubric:: Example

With this policy::

    architecture: x86_64

an image with the package ``dpkg`` for ``amd64`` and an x86-64 ``/bin/sh`` passes.

An image for ``arm64`` fails, and so does one whose ``/bin/sh`` was copied from a machine with another architecture.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question, always
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status

ID: Final = "architecture"
TITLE: Final = "Architecture"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("architecture",)
asked = always


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every sign of the architecture."""
    found = known(question.facts.architecture)
    wanted = question.rules.architecture or found.machine
    for evidence in found.evidence:
        ok = evidence.machine == wanted
        message = f"made for {evidence.machine}" if ok else f"made for {evidence.machine}, not for {wanted}"
        yield Finding(evidence.source, Status.PASS if ok else Status.FAIL, message, wanted, evidence.machine)
