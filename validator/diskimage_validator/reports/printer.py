"""Lines for people, as ``lines`` prints them; but rich is imported only where there is a terminal to show them on.

Most reports go into a log, and importing rich takes as long as a tenth of the validation that they are about.
"""

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

Part = str | tuple[str, str]
"""Text, or text and its style in rich's words."""


class Printer:
    """Writes lines to ``stream``, with colours if that is a terminal, or if FORCE_COLOR says so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console: Console | None = None
        if stream.isatty() or os.environ.get("FORCE_COLOR"):
            from diskimage_validator.reports.lines import console_for

            self._console = console_for(stream)

    def line(self, *label: Part, text: Part = "") -> None:
        """Write ``label`` and ``text`` in one line. If a terminal is too narrow, only the column of the text wraps."""
        if self._console is None:
            self._stream.write("".join(map(_words, (*label, text))) + "\n")
            return
        from rich.text import Text

        from diskimage_validator.reports.lines import print_line

        print_line(self._console, Text.assemble(*label), Text.assemble(text))

    def heading(self, *parts: Part) -> None:
        """Write a line that wraps as a whole, an empty one without parts."""
        if self._console is None:
            self._stream.write("".join(map(_words, parts)) + "\n")
            return
        from rich.text import Text

        self._console.print(Text.assemble(*parts))


def _words(part: Part) -> str:
    return part if isinstance(part, str) else part[0]
