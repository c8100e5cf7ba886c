"""What ``extends`` means: one policy on top of another, as plain data.

Mappings merge, lists add what the base does not have yet, anything else replaces. The tag ``!override`` in front of a
list or mapping replaces the base's instead, as in Compose files. Name and description are never inherited.
"""

from collections.abc import Collection
from pathlib import Path as FilePath
from typing import Any, Final

from diskimage_validator.policy_lines import Path

OWN: Final = frozenset({"name", "description", "extends"})
FILE_KEYS: Final = frozenset({"file", "chain"})
"""Keys whose text names a file of this host, relative to the policy that says so."""


def merge(base: dict[str, Any], policy: dict[str, Any], overrides: Collection[Path]) -> dict[str, Any]:
    """Return ``policy`` on top of ``base``, without ``extends``; ``overrides`` are the tagged paths in it."""
    inherited = {key: value for key, value in base.items() if key not in OWN}
    merged: dict[str, Any] = _merge(inherited, policy, overrides, ())
    return {key: merged[key] for key in dict.fromkeys((*policy, *inherited)) if key != "extends"}


def _merge(base: Any, value: Any, overrides: Collection[Path], path: Path) -> Any:
    if path in overrides:
        return value
    if isinstance(base, dict) and isinstance(value, dict):
        both = {key: _merge(base[key], value[key], overrides, (*path, str(key))) for key in base if key in value}
        return {**base, **value, **both}
    if isinstance(base, list) and isinstance(value, list):
        return [*base, *(entry for entry in value if entry not in base)]
    return value


def anchor_files(data: Any, folder: FilePath) -> Any:
    """Return ``data`` with every file that it names made relative to ``folder``, where the policy lies."""
    if isinstance(data, dict):
        return {
            key: str(folder / value)
            if key in FILE_KEYS and isinstance(value, str) and value
            else anchor_files(value, folder)
            for key, value in data.items()
        }
    return [anchor_files(entry, folder) for entry in data] if isinstance(data, list) else data
