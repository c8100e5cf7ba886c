"""A policy that a good image satisfies, as a start for one's own: ``policy from-image``."""

from typing import Any, Final

import yaml

from diskimage_validator.facts import Facts, known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.sizes import format_size
from diskimage_validator.tooling import PACKAGES

HEAD: Final = """\
# Written from {name}{digest}.
# It asks for what that image has. Read it, take out what is chance, add what must not be there.
"""
HEADROOM: Final = 1 << 30
"""Bytes that the virtual size may grow before the policy complains."""


def policy_from(facts: Facts, name: str) -> str:
    """Return the text of a policy called ``name`` for the target of ``facts``. What could not be read is left out."""
    rules: dict[str, Any] = {"version": 1, "name": name, "description": f"Like {facts.target.name}"}
    for section in (_system, _packages, _commands, _certificates, _disk):
        try:
            rules.update(section(facts))
        except FactUnavailableError:
            continue
    digest = f", sha256 {facts.target.sha256}" if facts.target.sha256 else ""
    return HEAD.format(name=yaml.safe_dump(facts.target.name).split("\n")[0], digest=digest) + yaml.safe_dump(
        rules, sort_keys=False, width=110
    )


def _system(facts: Facts) -> dict[str, Any]:
    found = known(facts.os)
    release: dict[str, Any] = {"id": found.id}
    if found.version_id:
        release["versions"] = [found.version_id]
    return {"os": {"any": [release]}, "architecture": known(facts.architecture).machine}


def _packages(facts: Facts) -> dict[str, Any]:
    installed = {package.name for package in known(facts.packages).installed}
    return {"packages": {"required": [name for name in PACKAGES if name in installed]}}


def _commands(facts: Facts) -> dict[str, Any]:
    programs = known(facts.commands).programs
    return {"commands": {"required": [name for name, found in programs.items() if found and found.state == "ok"]}}


def _certificates(facts: Facts) -> dict[str, Any]:
    added = known(facts.trust).added
    return {"certificates": {"trusted": [{"sha256": certificate.sha256} for certificate in added], "anchors": True}}


def _disk(facts: Facts) -> dict[str, Any]:
    disk = known(facts.disk)
    if disk is None:
        return {}
    rules: dict[str, Any] = {
        "max_virtual_size": format_size(disk.virtual_size + HEADROOM),
        "partition_table": [disk.partition_table],
    }
    if disk.root:
        rules["root_filesystem"] = [disk.root.type]
    return {"disk": rules}
