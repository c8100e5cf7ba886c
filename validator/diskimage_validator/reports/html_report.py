"""The report as a page: one file that needs nothing else, neither a server nor the network, nor JavaScript.

What comes from an image is shown as text: Jinja2 escapes it, ``printable`` makes control and direction characters
visible, and a Content Security Policy allows nothing but the page's own style and script, named by their hashes.
"""

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any, Final, TextIO

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from diskimage_validator.frozen import dataclass
from diskimage_validator.model import FACTORY, Report, Result, Severity
from diskimage_validator.printable import printable
from diskimage_validator.reports.grouping import CheckResults, as_listed, by_check, not_asked, waiver_of, where
from diskimage_validator.reports.verdict import VERDICTS, counts_of, remark_on
from diskimage_validator.sizes import format_size

MAX_LENGTH: Final = 2000
"""Characters of one string that the page shows."""
WORDS: Final = {
    "fail": "failed",
    "error": "could not tell",
    "waived": "waived",
    "pass": "passed",
    "skip": "skipped",
}
"""What a result can be on the page, in the order of its sections."""


@dataclass(frozen=True)
class Section:
    """The checks that have results of one kind, each with those results."""

    kind: str
    title: str
    checks: list[tuple[CheckResults, list[Result]]]


def write(report: Report, stream: TextIO, threshold: Severity) -> None:
    """Write one HTML document."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = lambda text: printable(str(text), MAX_LENGTH)
    environment.filters["size"] = format_size
    style, script = _resource("report.css"), _resource("report.js")
    page = environment.from_string(_resource("report.html")).render(
        report=report,
        threshold=threshold,
        factory=FACTORY,
        verdict=VERDICTS[report.exit_status(threshold)],
        remark=remark_on(report, threshold),
        counts=_counts(report),
        sections=_sections(report),
        not_asked=not_asked(report),
        where=where,
        waiver_of=_waiver_of(report),
        name=report.target.name.rstrip("/").rpartition("/")[2] or report.target.name,
        # Both are files of this package: nothing in them comes from an image.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy=f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'",
    )
    stream.write(page)
    stream.write("\n")


def _resource(name: str) -> str:
    return files("diskimage_validator.reports").joinpath("templates", name).read_text("utf-8")


def _source(text: str) -> str:
    """Return the hash-source of Content Security Policy that allows an element with exactly this content."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _counts(report: Report) -> list[tuple[str, str, int]]:
    """Return (kind, word, number) of every kind of result that there is."""
    counts = counts_of(report)
    numbers = {
        "fail": counts.failed,
        "error": counts.could_not_tell,
        "waived": counts.waived,
        "pass": counts.passed,
        "skip": counts.skipped,
    }
    return [(kind, WORDS[kind], number) for kind, number in numbers.items() if number]


def _kind(result: Result) -> str:
    return "waived" if result.waived else str(result.status)


def _sections(report: Report) -> list[Section]:
    """Return the sections that have anything in them: a check is in each of which it has results."""
    groups = by_check(report.results)
    sections = []
    for kind, word in WORDS.items():
        listed = as_listed(report, groups) if kind in ("pass", "skip") else groups
        checks = [(group, [result for result in group.results if _kind(result) == kind]) for group in listed]
        found = [(group, results) for group, results in checks if results]
        if found:
            sections.append(Section(kind, word.capitalize(), found))
    return sections


def _waiver_of(report: Report) -> Callable[[Result], Any]:
    return lambda result: waiver_of(report, result)
