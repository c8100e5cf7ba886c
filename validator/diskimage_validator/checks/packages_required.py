"""Every required package is installed, in a version within its bounds.

A requirement is written as Debian writes relations: a name, perhaps with a bound on its version, and alternatives
joined by ``|``, any of which will do. So one line serves distributions that name a package differently. Versions
compare in the order of the distribution's own package manager; a bound without an epoch ignores epochs, and one without
a release ignores RPM's releases.

Only a package that is installed and configured counts. One that was removed but left its configuration, or one whose
installation broke off, does not, and the finding says so. Virtual packages (``Provides``) do not count either.

This check believes the package manager; ``commands-required`` looks at the files themselves.

.. rubric:: Example

With this policy::

    packages:
      required:
        - docker.io | docker-ce | podman
        - skopeo (>= 1.9)

an image with the packages ``podman`` 4.3.1 and ``skopeo`` 1.9.3 passes.

An image with ``skopeo`` 1.2.2 fails, and so does one where ``skopeo`` was removed with ``dpkg --remove``: dpkg still
lists it, in the state ``config-files``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.relations import Alternative, Relation
from diskimage_validator.versions import in_bounds

ID: Final = "packages-required"
TITLE: Final = "Required packages"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("packages",)


def asked(policy: Policy) -> bool:
    """Whether the policy requires packages."""
    return bool(policy.rules.packages.required)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every requirement."""
    packages = known(question.facts.packages)
    for relation in question.rules.packages.required:
        yield _check_relation(relation, packages)


def _check_relation(relation: Relation, packages: Packages) -> Finding:
    nearly: list[str] = []
    for alternative in relation.alternatives:
        for package in packages.named(alternative.name):
            shortfall = _shortfall(package, alternative, packages.manager)
            if not shortfall:
                actual = f"{package.name} {package.version}"
                return _finding(relation, Status.PASS, f"{actual} is installed", actual, packages)
            nearly.append(shortfall)
    names = " or ".join(alternative.name for alternative in relation.alternatives)
    message = "; ".join(nearly) or f"{packages.manager} does not know {names}: it was never installed, or purged"
    return _finding(relation, Status.FAIL, message, "; ".join(nearly) or "not installed", packages)


def _finding(relation: Relation, status: Status, message: str, actual: str, packages: Packages) -> Finding:
    hint = "install it in the image, or correct the policy" if status is Status.FAIL else ""
    return Finding(str(relation), status, message, f"{relation} installed", actual, hint, packages.path)


def _shortfall(package: Package, wanted: Alternative, manager: str) -> str:
    """Return why ``package`` does not do for ``wanted``; empty if it does."""
    if package.state == "config-files":
        return f"{package.name} was removed; only its configuration is left (state config-files)"
    if not package.is_installed or package.flag != "ok":
        return f"{package.name} is not properly installed (state {package.state}, flag {package.flag})"
    if wanted.operator and not in_bounds(manager, package.version, wanted.operator, wanted.version):
        return f"{package.name} is installed in version {package.version}, not {wanted.operator} {wanted.version}"
    return ""
