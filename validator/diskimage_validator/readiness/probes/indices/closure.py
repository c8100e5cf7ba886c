"""Packages with all that they depend on.

Of several versions the newest counts. Bounds on versions, and what is only recommended, are left aside; of what
satisfies a dependency, the first that the index lists is taken, if there is one of the same architecture. So the sum is
that of one way to install the packages, which apt and dnf need not take.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from diskimage_validator.readiness.facts.storage import PackageSet
from diskimage_validator.readiness.probes.indices.package import Package
from diskimage_validator.versions import compare

MAX_UNMET: Final = 20
INDEPENDENT: Final = ("all", "noarch")
"""The architectures of what runs on any (deb, rpm)."""


def closure(packages: Iterable[Package], wanted: Sequence[str], manager: str) -> PackageSet:
    """Return ``wanted`` with all that they depend on; ``manager``, dpkg or rpm, knows the order of versions.

    Raises VersionError if versions have none.
    """
    pool = _Pool(_newest(packages, manager))
    roots = {name: pool.choose([name], pool.architecture) for name in wanted}
    queue = [(package, pool.architecture) for package in roots.values() if package]
    found: dict[Package, None] = {}
    unmet: dict[str, None] = {}
    while queue:
        package, architecture = queue.pop()
        if package in found:
            continue
        found[package] = None
        if package.architecture not in INDEPENDENT:
            architecture = package.architecture
        for group in package.depends:
            if chosen := pool.choose(group, architecture):
                queue.append((chosen, architecture))
            elif "" not in group:
                unmet[f"{package.name}: {' | '.join(group)}"] = None
    missing = tuple(name for name, package in roots.items() if package is None)
    files = dict.fromkeys(package.file for package in found)
    return PackageSet(tuple(files), missing, tuple(unmet)[:MAX_UNMET])


class _Pool:
    """Packages by what they are asked for by. ``architecture``: the one that most of them are for."""

    def __init__(self, packages: Sequence[Package]) -> None:
        count = Counter(package.architecture for package in packages if package.architecture not in INDEPENDENT)
        self.architecture = count.most_common(1)[0][0] if count else ""
        self._offers: dict[str, list[Package]] = {}
        for package in packages:
            self._offers.setdefault(package.name, []).append(package)
        for package in packages:
            for name in package.provides:
                self._offers.setdefault(name, []).append(package)

    def choose(self, names: Iterable[str], architecture: str) -> Package | None:
        """Return what satisfies the first of ``names`` that anything does, for ``architecture`` if possible."""
        for name in names:
            if offers := self._offers.get(name):
                return next((one for one in offers if one.architecture in (architecture, *INDEPENDENT)), offers[0])
        return None


def _newest(packages: Iterable[Package], manager: str) -> list[Package]:
    found: dict[tuple[str, str], Package] = {}
    for package in packages:
        key = (package.name, package.architecture)
        known = found.setdefault(key, package)
        if known.version != package.version and compare(manager, package.version, known.version) > 0:
            found[key] = package
    return list(found.values())
