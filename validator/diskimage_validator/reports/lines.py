"""Lines for people: wrapped with a hanging indent on a terminal, left whole everywhere else."""

from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text


def console_for(stream: TextIO) -> Console:
    """Return a console that writes to ``stream`` and takes nothing in a text for markup."""
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=not stream.isatty())


def print_line(console: Console, label: Text, text: Text) -> None:
    """Print ``label`` and ``text`` in one line. If a terminal is too narrow, only the text's column wraps."""
    if not console.is_terminal:
        console.print(Text.assemble(label, text))
        return
    line = Table.grid()
    line.add_column(no_wrap=True, width=label.cell_len)
    line.add_column(overflow="fold")
    line.add_row(label, text)
    console.print(line)
