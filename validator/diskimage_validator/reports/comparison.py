"""The differences of two targets, for a person or as JSON."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from diskimage_validator.comparison.meaning import Change
from diskimage_validator.comparison.trees import ABSENT, Difference
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import TargetInfo
from diskimage_validator.reports.lines import console_for, print_line
from diskimage_validator.reports.styles import plain

MAX_LINES: Final = 60
"""Lines of one section that the text shows; JSON has them all."""
TITLES: Final = {"os": "Operating system", "trust": "Trusted CAs"}
SCHEMA_VERSION: Final = 1


@dataclass(frozen=True)
class Comparison:
    """What differs between two targets; ``content`` says whether every byte of every file was compared."""

    old: TargetInfo
    new: TargetInfo
    facts: Sequence[Change]
    files: Sequence[Difference]
    content: bool

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.facts and not self.files


def write_json(comparison: Comparison, stream: TextIO) -> None:
    """Write all differences as one JSON object; what one side does not have is null."""
    document = {
        "schema": SCHEMA_VERSION,
        "old": comparison.old.as_dict(),
        "new": comparison.new.as_dict(),
        "content_compared": comparison.content,
        "facts": [asdict(change) for change in comparison.facts],
        "files": [asdict(difference) for difference in comparison.files],
    }
    json.dump(document, stream, indent=2)
    stream.write("\n")


def write_text(comparison: Comparison, stream: TextIO) -> None:
    """Write a section for every kind of fact that differs, then the files, then one line that counts."""
    console = console_for(stream)
    for fact, changes in itertools.groupby(comparison.facts, key=lambda change: change.fact):
        _write_section(console, TITLES.get(fact, fact.replace("_", " ").capitalize()), [_line(c) for c in changes])
    _write_section(console, "Files", list(_file_lines(comparison.files)))
    extent = "every byte was compared" if comparison.content else "of files outside /etc only metadata was compared"
    files = len({difference.path for difference in comparison.files})
    old, new = plain(comparison.old.name), plain(comparison.new.name)
    verdict = "no difference" if comparison.same else f"{len(comparison.facts)} differences in facts, {files} in files"
    console.print(Text(f"{old} -> {new}: {verdict} ({extent})", style="bold"))


COMPARISON_WRITERS: Final[dict[str, Callable[[Comparison, TextIO], None]]] = {"text": write_text, "json": write_json}

Line = tuple[str, str]


def _write_section(console: Console, title: str, lines: Sequence[Line]) -> None:
    if not lines:
        return
    console.print(Text(f"{title}: {len(lines)}", style="bold"))
    for mark, text in lines[:MAX_LINES]:
        style = {"+": "green", "-": "red"}.get(mark, "yellow")
        print_line(console, Text(f"  {mark} ", style), Text(plain(text)))
    if len(lines) > MAX_LINES:
        print_line(console, Text("    "), Text(f"... and {len(lines) - MAX_LINES} more: --format json has them all"))
    console.print()


def _line(change: Change) -> Line:
    if change.old is None:
        return "+", f"{change.subject}: {change.new}"
    if change.new is None:
        return "-", f"{change.subject}: {change.old}"
    return "~", f"{change.subject}: {change.old} -> {change.new}"


def _file_lines(files: Sequence[Difference]) -> Iterator[Line]:
    """Yield a line per path; of a folder that only one side has, one line tells all that is below it."""
    below: dict[str, int] = {}
    for difference in files:
        if difference.field == "path":
            parents = (str(parent) for parent in PurePosixPath(difference.path).parents)
            top = next((parent for parent in parents if parent in below), difference.path)
            below[top] = below.get(top, -1) + 1
    for path, group in itertools.groupby(files, key=lambda difference: difference.path):
        differences = list(group)
        if differences[0].field != "path":
            yield _file_line(path, differences)
        elif path in below:
            mark = "+" if differences[0].left == ABSENT else "-"
            yield mark, path + (f" and {below[path]} below it" if below[path] else "")


def _file_line(path: str, differences: Sequence[Difference]) -> Line:
    details = ", ".join(
        "content" if difference.field == "content" else f"{difference.field} {difference.left} -> {difference.right}"
        for difference in differences
    )
    return "~", f"{path}: {details}"
