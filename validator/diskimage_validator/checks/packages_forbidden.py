"""None of the forbidden packages is installed, not even in part.

A rule is a name, perhaps with a bound on the version, so a version with a known defect can be kept out:
``sudo (<< 1.9.5)``. Of alternatives joined by ``|`` each one is forbidden. A name may be a pattern, as in fnmatch(3):
``*-dev``. Versions compare as for ``packages-required``.

A package that was removed and left its configuration is not installed; one whose installation or removal broke off has
files in the image, so it counts.

.. rubric:: Example

With this policy::

    packages:
      forbidden:
        - telnetd | rsh-server
        - openssh-server (<< 1:9.2)

an image with ``openssh-server`` 1:9.2p1 and without the other two passes.

An image with ``rsh-server``, or with ``openssh-server`` 1:8.4p1, fails.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.packages import Packages
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.relations import Alternative
from diskimage_validator.versions import in_bounds

ID: Final = "packages-forbidden"
TITLE: Final = "Forbidden packages"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("packages",)


def asked(policy: Policy) -> bool:
    """Whether the policy forbids packages."""
    return bool(policy.rules.packages.forbidden)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every forbidden package that is there, or one for a rule that nothing matches."""
    packages = known(question.facts.packages)
    for relation in question.rules.packages.forbidden:
        for alternative in relation.alternatives:
            found = list(_check_alternative(alternative, packages))
            expected = f"{alternative} not installed"
            passed = Finding(str(alternative), Status.PASS, "not installed", expected, "not installed")
            yield from found or [passed]


def _check_alternative(alternative: Alternative, packages: Packages) -> Iterator[Finding]:
    for package in packages.present:
        if not fnmatchcase(package.name, alternative.name):
            continue
        if alternative.operator and not in_bounds(
            packages.manager, package.version, alternative.operator, alternative.version
        ):
            continue
        state = "" if package.is_installed else f" (state {package.state})"
        actual = f"{package.name} {package.version}{state}"
        why = f", and forbidden by '{alternative}'" if str(alternative) != package.name else ""
        hint = "remove it from the image, or upgrade it" if alternative.operator else "remove it from the image"
        yield Finding(
            package.name,
            Status.FAIL,
            f"{actual} is installed{why}",
            f"{alternative} not installed",
            actual,
            hint,
            packages.path,
        )
