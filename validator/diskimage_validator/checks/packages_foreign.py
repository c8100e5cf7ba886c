"""No package is made for another architecture than the image, and none may be installed.

Packages of a foreign architecture double what has to be mirrored and patched. Where dpkg was told of another
architecture, ``apt-get update`` also asks the mirror for its indices, and fails at a mirror that does not carry them.
Both are found: installed packages, and what ``dpkg --add-architecture`` left in ``/var/lib/dpkg/arch``.

Packages for all architectures (``all``, ``noarch``) are at home everywhere. Architectures that are wanted are listed,
as the package manager spells them.

.. rubric:: Example

With this policy::

    packages:
      foreign_architectures: []

an amd64 image passes that has packages for ``amd64`` and ``all``.

An amd64 image fails that has ``libc6:i386``, and so does one where ``dpkg --add-architecture i386`` was run, though it
has no such package yet.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.elf import package_machine
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "packages-foreign"
TITLE: Final = "Packages of foreign architectures"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("packages", "architecture")

MAX_TOLD: Final = 5
"""Packages that a message names."""
_NEUTRAL: Final = ("", "all", "noarch", "(none)")


def asked(policy: Policy) -> bool:
    """Whether the policy says which foreign architectures are allowed."""
    return policy.rules.packages.foreign_architectures is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every foreign architecture; one for all if there is none."""
    allowed = question.rules.packages.foreign_architectures or []
    packages = known(question.facts.packages)
    machine = known(question.facts.architecture).machine
    named: dict[str, list[str]] = {architecture: [] for architecture in packages.architectures}
    for package in packages.present:
        named.setdefault(package.architecture, []).append(package.name)
    foreign = [name for name in named if name not in _NEUTRAL and package_machine(name) != machine]
    if not foreign:
        yield Finding("all packages", Status.PASS, f"all are made for {machine}, or for all", machine, machine)
    for name in foreign:
        ok = name in allowed
        message, hint = _told(name, named[name])
        expected = f"packages for {', '.join([machine, *allowed])}"
        status = Status.PASS if ok else Status.FAIL
        yield Finding(
            name, status, message + (", as allowed" if ok else ""), expected, name, "" if ok else hint, packages.path
        )


def _told(architecture: str, names: list[str]) -> tuple[str, str]:
    """Return a sentence and what to do."""
    if not names:
        message = f"dpkg may install packages for {architecture}; there are none yet"
        return message, f"run dpkg --remove-architecture {architecture} in the image"
    told = ", ".join(names[:MAX_TOLD]) + (", ..." if len(names) > MAX_TOLD else "")
    message = f"{len(names)} {'packages are' if len(names) > 1 else 'package is'} for {architecture}: {told}"
    return message, "remove them, or allow the architecture in the policy"
