"""Compare what two targets are, not their bytes: packages, CAs, users, services, configuration, as facts have it."""

from collections.abc import Iterator
from typing import Any, Final

from diskimage_validator.facts import FACTS, Facts, dump
from diskimage_validator.frozen import dataclass

IDENTITIES: Final = ("name", "path", "sha256", "file", "device", "unit", "user", "source", "subject")
"""Keys by which entries of a list are recognised on both sides; those without any are compared by their position."""


@dataclass(frozen=True)
class Change:
    """Something of the fact ``fact`` that differs. ``old`` or ``new`` is None where one side does not have it."""

    fact: str
    subject: str
    old: str | None
    new: str | None


def compare_facts(old: Facts, new: Facts) -> list[Change]:
    """Return every difference of the two targets' facts, in the order of the facts, then of their subjects."""
    left, right = dump(old), dump(new)
    found: list[Change] = []
    for fact in FACTS:
        before, after = dict(_leaves(_view(fact, left[fact]))), dict(_leaves(_view(fact, right[fact])))
        changes = (Change(fact, key, before.get(key), after.get(key)) for key in sorted(before.keys() | after.keys()))
        found += [change for change in changes if change.old != change.new]
    return found


def _view(fact: str, value: Any) -> Any:
    """Return a fact as people think of it: packages by version, CAs by name; the others as they are."""
    if not isinstance(value, dict):
        return value
    if fact == "packages" and "all" in value:
        return {f"{entry['name']}:{entry['architecture']}": _version(entry) for entry in value["all"]}
    if fact == "trust" and "certificates" in value:
        return {f"{entry['subject']} ({entry['sha256'][:16]})": "trusted" for entry in value["certificates"]}
    return value


def _version(package: dict[str, Any]) -> str:
    state = package.get("state", "installed")
    return str(package["version"]) if state == "installed" else f"{package['version']} ({state})"


def _leaves(value: Any, subject: str = "") -> Iterator[tuple[str, str]]:
    """Yield (where, text) for every scalar in plain data; an empty list or mapping has none."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{subject}.{key}" if subject else str(key))
    elif isinstance(value, list):
        seen: dict[str, int] = {}
        for index, child in enumerate(value):
            name = identity(child, index)
            seen[name] = seen.get(name, 0) + 1
            unique = name if seen[name] == 1 else f"{name}#{seen[name]}"
            yield from _leaves(child, f"{subject}[{unique}]")
    elif value is not None:
        yield subject, str(value)


def identity(value: Any, index: int) -> str:
    """Return what an entry of a list is called: by the first of IDENTITIES that it has, else by its position."""
    if isinstance(value, dict):
        return next((str(value[key]) for key in IDENTITIES if value.get(key)), str(index))
    return str(value) if isinstance(value, str | int) else str(index)
