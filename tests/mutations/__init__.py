"""Defects, one module per domain.

Each module has ``RULES``, sections of a policy that sound trees satisfy, and ``MUTATIONS``. A domain whose rules differ
by family of the tree has ``RULES_DEB`` and ``RULES_RPM`` as well.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from diskimage_validator.policy import load_policy, resolve
from diskimage_validator.policy_merge import merge
from diskimage_validator.policy_model import Policy
from tests.support.mutations import Mutation

FAMILIES: Final = ("deb", "rpm")
_MODULES: Final = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
MUTATIONS: Final[dict[str, list[Mutation]]] = {
    family: [mutation for module in _MODULES for mutation in module.MUTATIONS if mutation.family in (family, "both")]
    for family in FAMILIES
}
"""Family of a tree to the defects that can be put into it."""


def suite_policy(family: str, ca_files: Iterable[Path], folder: Path, more: Mapping[str, Any] | None = None) -> Policy:
    """Return container-node with the rules of all domains for ``family`` and ``more`` on top; written to ``folder``."""
    rules: dict[str, Any] = {"version": 1, "name": f"mutations-{family}"}
    merged = merge(resolve("container-node"), rules, ())
    for module in _MODULES:
        for name in ("RULES", f"RULES_{family.upper()}"):
            merged = merge(merged, {**rules, **getattr(module, name, {})}, ())
    # Whatever changes packages or CAs contradicts the record of the build; that is for the defects of the record alone.
    for section in ({"provenance": {"matches": False}}, more or {}):
        merged = merge(merged, {**rules, **section}, ())
    path = folder / "suite.yaml"
    path.write_text(yaml.safe_dump(merged))
    return load_policy(str(path), ca_files=ca_files)
