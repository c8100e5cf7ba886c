"""Hold what two engines read from one target against each other, value by value."""

import json
from collections.abc import Iterator
from typing import Any, Final

from diskimage_validator.comparison.meaning import identity
from diskimage_validator.facts import Facts, dump
from diskimage_validator.facts.agreement import Agreement, Disagreement

OF_THE_RUN: Final = ("engine", "notes", "collected", "agreement")
"""Fields of Facts that tell of how the target was read, and not of what is in it."""
MAX_DIFFERENCES: Final = 200
MAX_VALUE: Final = 200
"""Characters of a value that are kept."""


def agreement(first: Facts, second: Facts) -> Agreement:
    """Compare all facts as JSON. Nothing is left out but how they were read; nulls and types count."""
    left, right = (dict(_values(_content(facts))) for facts in (first, second))
    paths = sorted(left.keys() | right.keys())
    differing = [path for path in paths if left.get(path) != right.get(path)]
    return Agreement(
        engines=(first.engine, second.engine),
        compared=len(paths),
        differing=len(differing),
        differences=tuple(
            Disagreement(path, (_cut(left.get(path)), _cut(right.get(path)))) for path in differing[:MAX_DIFFERENCES]
        ),
    )


def _content(facts: Facts) -> dict[str, Any]:
    return {name: value for name, value in dump(facts).items() if name not in OF_THE_RUN}


def _values(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, JSON) for every scalar in plain data, and for every empty list and mapping.

    An entry of a list is called by what it is, so that one that is missing does not shift all that follow. Their order
    counts: it is a value of its own, the list of these names.
    """
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _values(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        names = _names(value)
        for name, child in zip(names, value, strict=True):
            yield from _values(child, f"{path}[{name}]")
        yield f"{path}[]", json.dumps(names)
    else:
        yield path, json.dumps(value)


def _names(values: list[Any]) -> list[str]:
    """Return a name for every entry; one that comes again gets a number."""
    seen: dict[str, int] = {}
    names = []
    for index, value in enumerate(values):
        name = identity(value, index)
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names


def _cut(text: str | None) -> str:
    return "" if text is None else text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 3]}..."
