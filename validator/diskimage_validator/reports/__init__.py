"""How results are told: one writer per format, all with one signature.

A writer's module is imported when it is first used: some of them need large libraries, and ``--help`` none.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Final, TextIO

from diskimage_validator.model import Report, Severity

Writer = Callable[[Report, TextIO, Severity], None]
"""Writes a report to a text stream. The severity is the threshold of the verdict."""


def _writer(module: str) -> Writer:
    """Return the function ``write`` of a module of this package, which is imported when it is called."""

    def write(report: Report, stream: TextIO, threshold: Severity) -> None:
        writer: Writer = import_module(f"{__name__}.{module}").write
        writer(report, stream, threshold)

    return write


WRITERS: Final[dict[str, Writer]] = {
    "text": _writer("text_report"),
    "json": _writer("json_report"),
    "junit": _writer("junit_report"),
}
