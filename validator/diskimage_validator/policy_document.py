"""One file of rules: its text, checked against the models, with every problem at its path and line."""

import difflib
import types
import typing
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from diskimage_validator import policy_lines
from diskimage_validator.checks import CHECKS
from diskimage_validator.errors import PolicyError
from diskimage_validator.policy_lines import Document, Path, Problem
from diskimage_validator.policy_model import Rules

_MESSAGES: Final = {
    "missing": "is missing",
    "list_type": "a list is wanted",
    "model_type": "a mapping of keys to values is wanted",
    "dict_type": "a mapping of keys to values is wanted",
    "bool_type": "true or false is wanted",
}
_FORMS: Final = {
    r"^[0-9a-f]{64}$": "a sha256 is wanted: 64 hexadecimal digits in lower case, without colons",
    "^/": "an absolute path is wanted",
}
"""What to write instead of a pattern."""


def read_document(
    text: str, model: type[BaseModel] = Rules, checks: Collection[str] = CHECKS, what: str = "policy"
) -> tuple[Document, list[Problem]]:
    """Return the document that ``text`` is and everything that is wrong with it as a ``what``.

    ``model`` says what it may hold; ``checks`` are the ids that its severities and waivers may name. Raises
    DocumentError if there is nothing to work with.
    """
    document = policy_lines.parse_document(text)
    if not isinstance(document.data, dict):
        raise policy_lines.DocumentError([Problem(1, (), f"a {what} is a mapping of keys to values")])
    problems = list(document.problems)
    try:
        model.model_validate(document.data)
    except ValidationError as error:
        problems += [_problem(document, details, model, what) for details in error.errors(include_url=False)]
    return document, [*problems, *_unknown_checks(document, checks)]


def problems_error(what: str, name: str, problems: Iterable[Problem]) -> PolicyError:
    """Return the error that lists all ``problems`` of the ``what`` with that ``name``, in the order of its lines."""
    ordered = sorted(problems, key=lambda problem: problem.line)
    count = f"{len(ordered)} errors" if len(ordered) > 1 else "1 error"
    return PolicyError("\n".join([f"{what} {name} has {count}", *(f"  {problem}" for problem in ordered)]))


def _problem(document: Document, details: ErrorDetails, model: type[BaseModel], what: str) -> Problem:
    path, kind = details["loc"], details["type"]
    if kind == "invalid_key":  # a number, say: lines are kept under the text of the key
        path, kind = (*path[:-1], str(path[-1])), "extra_forbidden"
    message = details["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        message = "unknown key" + _did_you_mean(str(path[-1]), _keys_at(model, path[:-1]))
    elif kind in _MESSAGES:
        message = _MESSAGES[kind]
    elif kind == "string_pattern_mismatch":
        pattern = details["ctx"]["pattern"]
        message = _FORMS.get(pattern, f"what is wanted has the form {pattern}")
    elif kind == "string_type" and isinstance(details["input"], int | float):
        message = "text is wanted: write the number in quotes"
    elif kind == "literal_error" and path == ("version",):
        message = f"only version 1 of the {what} format is known"
    return Problem(document.line(path), path, message)


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; known are {', '.join(known)}"


def _keys_at(model: Any, path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that ``model`` knows at ``path``, by walking through the models."""
    for part in path:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    """Return the model inside an annotation such as ``list[Release] | None``."""
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((model for part in typing.get_args(annotation) if (model := _model_in(part))), None)


def _unknown_checks(document: Document, checks: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for every check id, in ``severity`` and in ``waivers``, that is none."""
    for name, path in _check_names(document.data):
        if name not in checks:
            yield Problem(document.line(path), path, "no such check" + _did_you_mean(name, checks))


def _check_names(data: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    severities, waivers = data.get("severity"), data.get("waivers")
    for name in severities if isinstance(severities, dict) else ():
        yield str(name), ("severity", str(name))
    for index, waiver in enumerate(waivers if isinstance(waivers, list) else ()):
        if isinstance(waiver, dict) and isinstance(name := waiver.get("check"), str):
            yield name, ("waivers", index, "check")
