"""How results are told: one writer per format, all with one signature.

A writer's module is imported when it is first used: some of them need large libraries, and ``--help`` none.
"""

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, TextIO

from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Report, Severity

if TYPE_CHECKING:
    from diskimage_validator.facts import Facts

Writer = Callable[[Report, TextIO, Severity], None]
"""Writes a report to a text stream. The severity is the threshold of the verdict."""


@dataclass(frozen=True)
class FactWriter:
    """A report that tells facts and no verdict. ``needs`` are the fields of Facts that it shows."""

    write: Callable[["Facts", TextIO], None]
    needs: tuple[str, ...]


def _writer(module: str) -> Writer:
    """Return the function ``write`` of a module of this package, which is imported when it is called."""

    def write(report: Report, stream: TextIO, threshold: Severity) -> None:
        writer: Writer = import_module(f"{__name__}.{module}").write
        writer(report, stream, threshold)

    return write


def _fact_writer(module: str) -> Callable[["Facts", TextIO], None]:
    """Return the function ``write`` of a module of this package, which is imported when it is called."""

    def write(facts: "Facts", stream: TextIO) -> None:
        writer: Callable[[Facts, TextIO], None] = import_module(f"{__name__}.{module}").write
        writer(facts, stream)

    return write


WRITERS: Final[dict[str, Writer]] = {
    "text": _writer("text_report"),
    "json": _writer("json_report"),
    "junit": _writer("junit_report"),
    "html": _writer("html_report"),
    "sarif": _writer("sarif_report"),
    "zuul": _writer("zuul_report"),
}

FACT_WRITERS: Final = {
    "cyclonedx": FactWriter(_fact_writer("cyclonedx_report"), ("os", "packages", "python", "trust", "ca_stores")),
}
