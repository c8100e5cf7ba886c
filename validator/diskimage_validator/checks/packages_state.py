"""Every package is installed and configured; none is held, broken, or waiting for something.

A build that was cut off leaves packages unpacked, half-configured or waiting for triggers: on the node the next
installation fails. One that dpkg wants to be reinstalled (``reinstreq``) has lost files. A package that is marked for
removal goes with the next ``apt-get dselect-upgrade``. And one that is held gets no security update, and nobody
notices; those that are held on purpose are listed under ``held``, as names or patterns of fnmatch(3).

A package that was removed, but left its configuration, is no failure unless the policy says ``removed: false``.

RPM knows none of these states. What an interrupted transaction leaves there is a package in two versions, so that is
the failure; kernels and public keys, of which there are meant to be several, do not count.

.. rubric:: Example

With this policy::

    packages:
      states:
        held:
          - linux-image-*

an image passes where every package is installed and ``linux-image-amd64`` is held.

An image where ``skopeo`` is half-configured fails, and so does one where ``podman`` is held.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "packages-state"
TITLE: Final = "States of packages"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("packages",)

_EXPECTED: Final = "installed and configured"
_STATES: Final = {  # dpkg(1), "Package states"
    "half-installed": "its installation began and broke off",
    "unpacked": "it was unpacked and never configured",
    "half-configured": "its configuration began and broke off",
    "triggers-awaited": "it waits for another package's trigger",
    "triggers-pending": "it has a trigger to run",
}
_SEVERAL: Final = ("kernel", "kernel-*", "kmod-*", "gpg-pubkey")
"""Packages that RPM systems keep in several versions: dnf's ``installonlypkgs``, SUSE's ``multiversion``."""


def asked(policy: Policy) -> bool:
    """Whether the policy asks for sound states."""
    return policy.rules.packages.states is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every package in a bad state; one for all if there is none."""
    rules = question.rules.packages.states
    packages = known(question.facts.packages)
    if rules is None:
        return
    if packages.manager == "rpm":
        found = list(_check_duplicates(packages))
    else:
        found = [
            finding
            for package in packages.all
            for finding in _check_package(package, packages.path, rules.held, rules.removed)
        ]
    yield from found or [_summary(packages)]


def _summary(packages: Packages) -> Finding:
    held = sum(package.selection == "hold" for package in packages.installed)
    removed = len(packages.all) - len(packages.installed)
    message = f"{len(packages.installed)} packages are installed and configured"
    message += f"; {held} of them held, as allowed" if held else ""
    message += f"; {removed} removed, with their configuration left" if removed else ""
    return Finding("all packages", Status.PASS, message, _EXPECTED, _EXPECTED, path=packages.path)


def _check_package(package: Package, path: str, held: Sequence[str], removed: bool) -> Iterator[Finding]:
    """Yield what is wrong with a package of dpkg."""
    fault, hint = _fault(package, held, removed)
    if fault:
        actual = f"{package.selection} {package.flag} {package.state}"
        message = f"{package.name} {fault}"
        yield Finding(_subject(package), Status.FAIL, message, _EXPECTED, actual, hint, path)


def _fault(package: Package, held: Sequence[str], removed: bool) -> tuple[str, str]:
    """Return what is wrong and what to do; two empty strings if nothing is."""
    if package.flag != "ok":
        return f"has to be reinstalled ({package.flag})", f"run apt-get install --reinstall {package.name} in the image"
    if package.state == "not-installed":
        return "", ""
    if package.state == "config-files":
        if removed:
            return "", ""
        return "was removed and left its configuration", f"run dpkg --purge {package.name} in the image"
    if package.state != "installed":
        reason = _STATES.get(package.state, "that is no state that dpkg knows")
        return f"is {package.state}: {reason}", "run dpkg --configure -a in the image and see why the build went on"
    if package.selection in ("deinstall", "purge"):
        return f"is marked for removal ({package.selection})", f"run apt-mark unhold {package.name}, or remove it"
    if package.selection == "hold" and not any(fnmatchcase(package.name, pattern) for pattern in held):
        return "is held: no update will reach it", f"run apt-mark unhold {package.name}, or allow it in the policy"
    return "", ""


def _check_duplicates(packages: Packages) -> Iterator[Finding]:
    """Yield a finding for every package of RPM that is there more than once."""
    counts = Counter((package.name, package.architecture) for package in packages.installed)
    for (name, architecture), count in counts.items():
        if count > 1 and not any(fnmatchcase(name, pattern) for pattern in _SEVERAL):
            versions = " and ".join(p.version for p in packages.named(name) if p.architecture == architecture)
            message = f"{name} is installed in {count} versions: a transaction was interrupted"
            hint = "run dnf remove --duplicates in the image and see why the build went on"
            yield Finding(f"{name}.{architecture}", Status.FAIL, message, "one version", versions, hint, packages.path)


def _subject(package: Package) -> str:
    return f"{package.name}:{package.architecture}" if package.architecture else package.name
