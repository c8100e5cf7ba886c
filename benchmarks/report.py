"""What was measured: as text for people, as CSV (``csv-table`` of reStructuredText shows it), and as a plot."""

import csv
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TextIO

from benchmarks.measure import Measured, ratios

HEADINGS = ("benchmark", "what", "wall s", "CPU s", "MiB", "ratio", "goal", "met")
BAR, GAP, LABEL, WIDTH = 14, 6, 330, 900


@dataclass(frozen=True)
class Comparison:
    """What one benchmark found: the first of ``measured`` is held against the second.

    ``kind``: ``ratio`` of the first's wall time to the second's; ``difference`` of the two in seconds; ``speedup``,
    which is the ratio the other way round; ``memory`` of the first in MiB. ``goal`` is what that is to be at most, for
    a speed-up at least; None if there is no goal.
    """

    name: str
    title: str
    measured: Sequence[Measured]
    kind: str = "ratio"
    goal: float | None = None

    def value(self) -> float | None:
        """Return the ratio or the difference, None if one of the two could not run."""
        if self.kind == "memory":
            return self.measured[0].median(lambda sample: sample.memory) / 2**20 if self.measured[0].samples else None
        if len(self.measured) < 2 or not all(one.samples for one in self.measured[:2]):
            return None
        first, second = self.measured[:2]
        if self.kind == "difference":
            pairs = zip(first.samples, second.samples, strict=False)
            return statistics.median(a.wall - b.wall for a, b in pairs)
        found = statistics.median(ratios(first, second))
        return 1 / found if self.kind == "speedup" else found

    def met(self) -> str:
        """Return ``yes`` or ``no``, and nothing where there is no goal or no value."""
        value = self.value()
        if value is None or self.goal is None:
            return ""
        return "yes" if (value >= self.goal if self.kind == "speedup" else value <= self.goal) else "no"


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return one row per case, the result in the first."""
    value = comparison.value()
    form = {"difference": "{:+.1f} s", "memory": "{:.0f} MiB"}.get(comparison.kind, "{:.3f}")
    bound = ">=" if comparison.kind == "speedup" else "<="
    result = "" if value is None else form.format(value)
    goal = "" if comparison.goal is None else f"{bound} {comparison.goal:g}"
    found: list[tuple[str, ...]] = []
    for one in comparison.measured:
        if one.samples:
            wall, cpu = one.median(lambda sample: sample.wall), one.median(lambda sample: sample.cpu)
            memory = one.median(lambda sample: sample.memory) / 2**20
            cells = (f"{wall:.2f}", f"{cpu:.2f}", f"{memory:.0f}")
        else:
            cells = ("-", "-", "-")
        name = f"{one.case.name}: not measured: {one.failed}" if one.failed else one.case.name
        ending = (result, goal, comparison.met()) if not found else ("", "", "")
        found.append((comparison.name, name, *cells, *ending))
    return found


def write_text(comparisons: Sequence[Comparison], stream: TextIO) -> None:
    """Write a table with aligned columns."""
    for comparison in comparisons:
        stream.write(f"{comparison.title}\n")
        table = [HEADINGS[1:], *(row[1:] for row in rows(comparison))]
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        for row in table:
            first, *others = (
                cell.ljust(width) if not at else cell.rjust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            stream.write(f"  {first}  {'  '.join(others)}\n".rstrip() + "\n")
        stream.write("\n")


def write_csv(comparisons: Sequence[Comparison], stream: TextIO) -> None:
    """Write all rows under one heading."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADINGS)
    for comparison in comparisons:
        writer.writerows(rows(comparison))


def write_svg(comparisons: Sequence[Comparison], stream: TextIO) -> None:
    """Write the wall times as bars, each benchmark on a scale of its own: the longest bar is its slowest case."""
    parts: list[str] = []
    y = GAP
    for comparison in comparisons:
        parts.append(f'<text x="0" y="{y + BAR}" font-weight="bold">{escape(comparison.title)}</text>')
        y += BAR + GAP
        times = [one.median(lambda sample: sample.wall) if one.samples else 0.0 for one in comparison.measured]
        scale = (WIDTH - LABEL - 90) / (max(times, default=0) or 1)
        for index, (one, seconds) in enumerate(zip(comparison.measured, times, strict=True)):
            name = one.case.name if seconds else f"{one.case.name} (not measured)"
            colour = "#8a8a8a" if index else "#2c6fbb"
            length = max(seconds * scale, 1) if seconds else 0
            parts.append(f'<text x="10" y="{y + BAR - 2}">{escape(name)}</text>')
            parts.append(f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>')
            if seconds:
                parts.append(f'<text x="{LABEL + length + 6:.1f}" y="{y + BAR - 2}">{seconds:.2f} s</text>')
            y += BAR + GAP
        y += 2 * GAP
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" font-family="sans-serif" font-size="12">'
    )
    stream.write("\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>", ""]))
