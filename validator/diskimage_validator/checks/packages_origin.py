"""Packages come from the allowed mirrors, vendors and keys, as far as the image tells.

RPM packages name their vendor and the key that they are signed with; ``vendors`` and ``keys`` are asked of every one.
Which mirror a package was fetched from, RPM does not record.

dpkg records neither. But where the build left apt's indices in ``/var/lib/apt/lists``, every installed package should
be in one of them, in that very version, and at least one such index should be of a host under ``mirrors``. A package
that is in no index was installed from a file, or the mirror has moved on since. Without indices, which a tidy build
removes, nothing can be said, and the check is skipped. Indices that are compressed with lz4 or zstd are not read.

``mirrors`` are patterns, as in fnmatch(3), of a host (``mirror.internal``) or of host and path
(``mirror.internal/debian*``); ``vendors`` are patterns, too; ``keys`` are key ids or fingerprints. ``local`` names
packages that may come from anywhere.

.. rubric:: Example

With this policy::

    packages:
      origins:
        mirrors:
          - "*.mirror.internal"
        vendors:
          - Rocky Enterprise Software Foundation
        local:
          - our-agent

a Debian image passes where ``our-agent`` is in no index, and all else in that of ``apt.mirror.internal``. A Rocky image
passes whose packages are all of that vendor.

An image fails with a package that was installed with ``dpkg -i``, or that is offered by ``apt.example.org`` alone, or
with an RPM of another vendor.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.apt_indices import FOLDER, AptIndices
from diskimage_validator.facts.packages import Package, Packages
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "packages-origin"
TITLE: Final = "Origins of packages"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("packages", "apt_indices")

MAX_TOLD: Final = 5
"""Packages that a message names."""


def asked(policy: Policy) -> bool:
    """Whether the policy says where packages may come from."""
    rules = policy.rules.packages.origins
    return any(rule is not None for rule in (rules.mirrors, rules.vendors, rules.keys))


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every wrong source, vendor and key, and for every package without a source."""
    rules = question.rules.packages.origins
    packages = known(question.facts.packages)
    asked_of = [package for package in packages.present if not _matches(package.name, rules.local)]
    if packages.manager == "rpm":
        if rules.vendors is not None:
            yield from _check_vendors(asked_of, rules.vendors, packages)
        if rules.keys is not None:
            yield from _check_keys(asked_of, rules.keys, packages)
        if rules.mirrors is not None:
            yield Finding("mirrors", Status.SKIP, "RPM does not record which mirror a package came from")
        return
    if rules.mirrors is not None:
        yield from _check_mirrors(asked_of, rules.mirrors, known(question.facts.apt_indices), packages)
    for name, rule in (("vendors", rules.vendors), ("keys", rules.keys)):
        if rule is not None:
            yield Finding(name, Status.SKIP, f"dpkg does not record {name}")


def _check_mirrors(
    asked_of: Sequence[Package], mirrors: Sequence[str], indices: AptIndices, packages: Packages
) -> Iterator[Finding]:
    expected = f"packages of {', '.join(mirrors)}"
    if not indices.indices:
        yield Finding(
            "mirrors", Status.SKIP, f"dpkg does not record where packages came from, and {FOLDER} has no index"
        )
        return
    damaged = [index for index in indices.indices if index.unreadable]
    for index in damaged:
        message = f"could not tell what {index.source} offers: {index.unreadable}"
        yield Finding(index.source, Status.ERROR, message, expected, path=index.path)
    wrong: dict[str, list[str]] = {}
    without: list[Package] = []
    for package in asked_of:
        sources = indices.of(package)
        if not sources:
            without.append(package)
        elif not any(_is_allowed(source, mirrors) for source in sources):
            wrong.setdefault(" and ".join(sources), []).append(package.name)
    yield from _told(wrong, expected, "from {}", packages.path, "install them from an allowed mirror")
    if damaged:  # they may be in there
        return
    for package in without:
        message = f"{package.name} {package.version} is in none of apt's indices: installed from a file, or outdated"
        hint = "install it from an allowed mirror, or allow it under 'local'"
        yield Finding(package.name, Status.FAIL, message, expected, "in no index", hint, packages.path)
    if not wrong and not without:
        yield Finding("mirrors", Status.PASS, f"{len(asked_of)} packages come from allowed mirrors", expected, expected)


def _is_allowed(source: str, mirrors: Iterable[str]) -> bool:
    """Whether host, host with port, or host and path is on the list."""
    host = source.partition("/")[0]
    return any(fnmatchcase(text, mirror) for text in (host, host.partition(":")[0], source) for mirror in mirrors)


def _check_vendors(asked_of: Iterable[Package], vendors: Sequence[str], packages: Packages) -> Iterator[Finding]:
    expected = f"packages of {', '.join(vendors)}"
    wrong: dict[str, list[str]] = {}
    for package in asked_of:
        vendor = package.rpm.vendor if package.rpm else ""
        if not _matches(vendor, vendors):
            wrong.setdefault(vendor or "no vendor", []).append(package.name)
    yield from _told(wrong, expected, "of {}", packages.path, "install them from an allowed vendor")
    if not wrong:
        yield Finding("vendors", Status.PASS, "all packages are of allowed vendors", expected, expected)


def _check_keys(asked_of: Iterable[Package], keys: Sequence[str], packages: Packages) -> Iterator[Finding]:
    expected = f"packages signed with {', '.join(keys)}"
    wrong: dict[str, list[str]] = {}
    for package in asked_of:
        key = package.rpm.signing_key if package.rpm else ""
        if not key or not any(allowed.endswith(key) for allowed in keys):
            wrong.setdefault(f"key {key}" if key else "no key", []).append(package.name)
    yield from _told(wrong, expected, "signed with {}", packages.path, "install packages that are signed by yours")
    if not wrong:
        yield Finding("keys", Status.PASS, "all packages are signed with allowed keys", expected, expected)


def _told(wrong: Mapping[str, Sequence[str]], expected: str, what: str, path: str, hint: str) -> Iterator[Finding]:
    """Yield a finding for every origin that is not allowed, with some of its packages."""
    for origin, names in sorted(wrong.items()):
        told = ", ".join(names[:MAX_TOLD]) + (", ..." if len(names) > MAX_TOLD else "")
        message = f"{len(names)} {'packages' if len(names) > 1 else 'package'} {what.format(origin)}: {told}"
        yield Finding(origin, Status.FAIL, message, expected, origin, f"{hint}, or correct the policy", path)


def _matches(text: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
