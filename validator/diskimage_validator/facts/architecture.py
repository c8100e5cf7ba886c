"""For which machine is this image: what the package manager says, and what its shell and init are."""

from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError, Unreadable
from diskimage_validator.facts.commands import read_program
from diskimage_validator.facts.elf import package_machine
from diskimage_validator.facts.packages import Packages
from diskimage_validator.frozen import dataclass

BASE_PACKAGES: Final = {"dpkg": ("dpkg", "libc6", "base-files"), "rpm": ("rpm", "glibc", "filesystem")}
"""By package manager: what every system has in its own architecture."""
ANY_MACHINE: Final = ("", "all", "noarch")
BASE_PROGRAMS: Final = ("/bin/sh", "/sbin/init")


@dataclass(frozen=True)
class Evidence:
    """``source`` (a package or a path) says that the machine is ``machine``, as uname -m would."""

    source: str
    machine: str


@dataclass(frozen=True)
class Architecture:
    """At least one piece of evidence, the weightiest first."""

    evidence: tuple[Evidence, ...]

    @property
    def machine(self) -> str:
        """What the weightiest evidence says."""
        return self.evidence[0].machine


def read_architecture(engine: Engine, packages: Packages | Unreadable) -> Architecture:
    """Return what base packages and base programs say. Raises FactError if none of them says anything."""
    found: list[Evidence] = []
    if isinstance(packages, Packages):
        names = BASE_PACKAGES.get(packages.manager, ())
        installed = (package for name in names for package in packages.named(name) if package.is_installed)
        package = next((package for package in installed if package.architecture not in ANY_MACHINE), None)
        if package:
            found.append(Evidence(f"package {package.name}", package_machine(package.architecture)))
    for path in BASE_PROGRAMS:
        if engine.lstat(path) is not None:
            program = read_program(engine, path)
            if program.machine:
                found.append(Evidence(path if program.real == path else f"{path} -> {program.real}", program.machine))
    if not found:
        raise FactError("no sign of the architecture", f"neither base packages nor {' nor '.join(BASE_PROGRAMS)}")
    return Architecture(tuple(found))
