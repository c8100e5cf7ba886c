"""Boolean dependencies of RPM (https://rpm.org/docs/latest/manual/boolean_dependencies.html): what they may need.

For a sum of sizes it is enough to know what has to be there: ``and`` and ``with`` ask for both sides, ``or`` for one of
them, ``without`` for its first. What hangs on a condition (``if``, ``unless``) counts where it is offered at all.
"""

from typing import Final

from diskimage_validator.errors import EngineError

MAX_DEPTH: Final = 32
MAX_NAMES: Final = 1_000
_COMPARISONS: Final = frozenset({"<", "<=", "=", ">=", ">"})
_BOTH: Final = frozenset({"and", "with"})
_CONDITIONS: Final = frozenset({"if", "unless"})

Groups = tuple[tuple[str, ...], ...]


def alternatives(required: str) -> Groups:
    """Return, for everything that ``required`` needs, the names that satisfy it; an empty one: it may be left out.

    Raises EngineError for an expression that is none.
    """
    if not required.startswith("("):
        return ((required,),)
    words = _words(required)
    if len(words) > MAX_NAMES:
        raise EngineError(f"a boolean dependency of more than {MAX_NAMES} words: {required[:80]}")
    groups, rest = _operand(words, 0, required)
    if rest != len(words):
        raise _bad(required)
    return groups


def _words(text: str) -> list[str]:
    """Split at blanks and at the parentheses that are not a part of a name, as those in ``libc.so.6()(64bit)`` are."""
    words: list[str] = []
    for part in text.split():
        name = part.lstrip("(")
        closing = max(name.count(")") - name.count("("), 0)
        words += "(" * (len(part) - len(name))
        words += [name[: len(name) - closing]] if len(name) > closing else []
        words += ")" * closing
    return words


def _operand(words: list[str], at: int, text: str, depth: int = 0) -> tuple[Groups, int]:
    """Return what the operand at ``at`` needs, and where the next word is."""
    if depth > MAX_DEPTH or at >= len(words) or words[at] == ")":
        raise _bad(text)
    if words[at] != "(":
        compared = at + 1 < len(words) and words[at + 1] in _COMPARISONS
        return ((words[at],),), at + (3 if compared else 1)
    groups, at = _operand(words, at + 1, text, depth + 1)
    while at < len(words) and words[at] != ")":
        operator = words[at]
        more, at = _operand(words, at + 1, text, depth + 1)
        groups = _joined(operator, groups, more, text)
    if at >= len(words):
        raise _bad(text)
    return groups, at + 1


def _joined(operator: str, first: Groups, second: Groups, text: str) -> Groups:
    if operator in _BOTH:
        return first + second
    if operator == "or":
        return (tuple(name for group in first + second for name in group),)
    if operator == "without":
        return first
    if operator in _CONDITIONS:
        return tuple((*group, "") for group in first)
    if operator == "else":
        return first + tuple((*group, "") for group in second)
    raise _bad(text)


def _bad(text: str) -> EngineError:
    return EngineError(f"no boolean dependency of RPM: {text[:80]}")
