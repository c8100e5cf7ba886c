"""What ``doctor`` found, as lines for a person."""

from collections.abc import Sequence
from typing import TextIO

from rich.text import Text

from diskimage_validator.doctor import READINESS, Diagnosis
from diskimage_validator.reports.lines import console_for, print_line
from diskimage_validator.reports.styles import plain


def write_diagnoses(diagnoses: Sequence[Diagnosis], stream: TextIO) -> bool:
    """Write a line per diagnosis, with its remedy below, and a verdict. Return whether any engine can read images."""
    console = console_for(stream)
    engines = list(dict.fromkeys(diagnosis.engine for diagnosis in diagnoses))
    width = max((len(diagnosis.subject) for diagnosis in diagnoses), default=0)
    working = []
    for engine in engines:
        found = [diagnosis for diagnosis in diagnoses if diagnosis.engine == engine]
        works = all(diagnosis.ok for diagnosis in found)
        working += [engine] if works and engine != READINESS else []
        verdict = Text("works", style="green") if works else Text("does not work", style="bold red")
        console.print(
            Text.assemble((engine if engine == READINESS else f"engine {engine}", "bold"), "  ").append_text(verdict)
        )
        for diagnosis in found:
            mark = Text("  ok    ", style="green") if diagnosis.ok else Text("  FAIL  ", style="bold red")
            print_line(console, mark + Text(f"{diagnosis.subject:{width}}  "), Text(plain(diagnosis.message)))
            if diagnosis.remedy:
                indent = Text(" " * (len(mark) + width + 2))
                print_line(console, indent, Text(f"remedy: {plain(diagnosis.remedy)}", style="cyan"))
        console.print()
    answer = f"This host can read disk images ({', '.join(working)})." if working else "This host cannot read images."
    console.print(Text(answer))
    return bool(working)
