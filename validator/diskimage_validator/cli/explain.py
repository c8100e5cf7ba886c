"""``explain``: what a check wants, with examples."""

import difflib

import click

from diskimage_validator.catalogue import everything
from diskimage_validator.cli_console import output
from diskimage_validator.errors import UsageError


@click.command("explain")
@click.argument("check", required=False)
def explain_command(check: str | None) -> int:
    """Explain CHECK, an id as reports show it; without one, list all checks."""
    checks = everything()
    if check is not None and check not in checks:
        close = difflib.get_close_matches(check, checks, n=1)
        guess = f"did you mean '{close[0]}'?" if close else "'diskimage-validator explain' lists all checks"
        raise UsageError(f"no check '{check}'", guess)
    with output(None) as stream:
        if check is None:
            width = max(map(len, checks))
            for found in checks.values():
                stream.write(f"{found.id:{width}}  {found.title}\n")
        else:
            found = checks[check]
            stream.write(f"{found.id}: {found.title} ({found.severity} by default)\n\n")
            stream.write(found.explanation.replace(".. rubric:: ", "").replace("``", "") + "\n")
    return 0
