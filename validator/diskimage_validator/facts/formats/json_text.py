"""JSON of container tools: strictly RFC 8259, duplicate keys noticed, and the lines of keys and strings."""

import json
import re
from collections import Counter
from typing import Any, Final

from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.frozen import dataclass

MAX_DEPTH: Final = 100
"""Levels of nesting. Far below what Python's parser and the recursion in our readers can take."""
_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.?)*+"?|[\[\]{}]', re.DOTALL)
"""A string, also one without an end: if that were none, every quote in it would be tried anew."""


@dataclass(frozen=True)
class JsonText:
    """A parsed document. ``duplicates`` are the keys that some object has twice: most readers take the last silently.

    ``null`` and all other values are as Python's json has them.
    """

    data: Any
    duplicates: tuple[str, ...]
    text: str

    def line(self, *words: str) -> int:
        """Return the line of the string ``words[-1]`` behind those before it, from 1; 0 if it is written otherwise."""
        position = 0
        for word in words:
            position = self.text.find(json.dumps(word, ensure_ascii=False), position)
            if position < 0:
                return 0
            position += 1
        return self.text.count("\n", 0, position) + 1


def parse_json(text: str) -> JsonText:
    """Return the document that ``text`` is. Raises Malformed for anything that RFC 8259 does not allow."""
    _limit_depth(text)
    duplicates: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in found)
        duplicates.extend(sorted(key for key, count in counts.items() if count > 1))
        return dict(found)

    def refuse(word: str) -> None:
        raise Malformed(0, f"{word} is no JSON")

    try:
        data = json.loads(text, object_pairs_hook=pairs, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise Malformed(error.lineno, f"no JSON: {error.msg}") from error
    except ValueError as error:  # a number of thousands of digits
        raise Malformed(0, "a number that is too large") from error
    return JsonText(data, tuple(duplicates), text)


def _limit_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        depth += (mark in "[{") - (mark in "]}")
        if depth > MAX_DEPTH:
            raise Malformed(text.count("\n", 0, token.start()) + 1, f"nested more than {MAX_DEPTH} times")
