"""Findings that several checks make in the same way."""

from collections.abc import Iterable, Iterator

from diskimage_validator.facts.reading import Problem
from diskimage_validator.model import Finding, Status


def could_not_read(problems: Iterable[Problem], expected: str) -> Iterator[Finding]:
    """Yield an ERROR for every file that is there and could not be read."""
    for problem in problems:
        yield Finding(problem.path, Status.ERROR, f"cannot read it: {problem.reason}", expected, path=problem.path)


def not_all_listed(subject: str, listed: int, count: int, expected: str) -> Iterator[Finding]:
    """Yield a failure if there is more than what the facts list."""
    if count > listed:
        yield Finding(subject, Status.FAIL, f"{count - listed} more are not listed", expected, f"{count} in all")
