"""A policy that a good image satisfies, as a start for one's own: ``policy from-image``."""

from typing import Any, Final

import yaml

from diskimage_validator.checks import CHECKS
from diskimage_validator.facts import Facts, known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.model import Status
from diskimage_validator.policy_merge import merge
from diskimage_validator.policy_model import Policy, Rules
from diskimage_validator.rules.hygiene import HygieneRules
from diskimage_validator.runner import run_checks
from diskimage_validator.sizes import format_size
from diskimage_validator.tooling import PACKAGES

HEAD: Final = """\
# Written from {name}{digest}.
# It asks for what that image has. Read it, take out what is chance, add what must not be there.
"""
SWITCHES: Final[tuple[dict[str, Any], ...]] = (
    {"packages": {"states": {}}},
    {"packages": {"foreign_architectures": []}},
    {"certificates": {"settings": True}},
    {"certificates": {"quality": {}}},
    {"certificates": {"private_keys": "client"}},
    {"certificates": {"unique": True}},
    {"air_gap": {"verification": True}},
    {"containers": {"config": True}},
    {"containers": {"zuul_roles": True}},
    {"boot": {"check": True}},
    {"access": {"accounts": {"consistent": True}}},
    {"access": {"sudo": {}}},
    {"access": {"authorized_keys": {}}},
    {"access": {"sshd": {}}},
    *({"hygiene": {name: True}} for name, field in HygieneRules.model_fields.items() if field.annotation is bool),
)
"""What is asked for if the image satisfies it; each is a question of yes or no."""
_BARE: Final[dict[str, Any]] = {"version": 1, "name": "bare", "certificates": {"anchors": False}}
_NOTHING: Final = Policy(Rules.model_validate(_BARE))
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
    for switch in SWITCHES:
        if _passes(switch, facts):
            rules = merge(switch, rules, ())
    digest = f", sha256 {facts.target.sha256}" if facts.target.sha256 else ""
    return HEAD.format(name=yaml.safe_dump(facts.target.name).split("\n")[0], digest=digest) + yaml.safe_dump(
        rules, sort_keys=False, width=110
    )


def _passes(switch: dict[str, Any], facts: Facts) -> bool:
    """Whether the target satisfies the rules ``switch``; what cannot be told, or does not apply, it does not."""
    policy = Policy(Rules.model_validate(merge(switch, _BARE, ())))
    asked = [check.id for check in CHECKS.values() if check.asked(policy) and not check.asked(_NOTHING)]
    found = [result.status for result in run_checks(policy, facts).results if result.check in asked]
    return Status.PASS in found and not {Status.FAIL, Status.ERROR} & set(found)


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
