"""``diff``: what differs between two images."""

import click

from diskimage_validator.cli.options import engine_option, output_option, quiet_option, ssh_options
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.comparison.meaning import compare_facts
from diskimage_validator.comparison.trees import Snapshot, compare, snapshot
from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.open import read_target
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.facts import Facts, collect
from diskimage_validator.reports.comparison import COMPARISON_WRITERS, Comparison

CONFIGURATION = "/etc/"
UNTOLD = ("mtime",)
"""Every build writes other dates; the test of reproducible builds compares them, this command does not."""


@click.command("diff")
@click.argument("old")
@click.argument("new")
@click.option("--content", is_flag=True, help="Compare every byte of every file, not only of those in /etc.")
@engine_option
@ssh_options
@click.option("--format", "form", type=click.Choice(list(COMPARISON_WRITERS)), default="text", help="Default: text.")
@output_option
@quiet_option
def diff_command(
    *, old: str, new: str, content: bool, engine: str, form: str, output_file: str | None, quiet: bool, ssh: SshOptions
) -> int:
    """Say what differs between OLD and NEW: packages, CAs, users, services, configuration, files.

    Exit status, as diff(1) has it: 0 if nothing differs, 1 if something does.
    """
    with Progress(quiet=quiet) as progress:
        (old_facts, old_tree), (new_facts, new_tree) = (
            _read(target, engine, ssh, progress, content=content) for target in (old, new)
        )
        progress("comparing")
        found = Comparison(
            old_facts.target,
            new_facts.target,
            compare_facts(old_facts, new_facts),
            compare(old_tree, new_tree, ignore=UNTOLD),
            content,
        )
    with output(output_file) as stream:
        COMPARISON_WRITERS[form](found, stream)
    return 0 if found.same else 1


def _read(target: str, engine: str, ssh: SshOptions, progress: Progress, *, content: bool) -> tuple[Facts, Snapshot]:
    def say(step: str) -> None:
        progress(f"{target}: {step}")

    def read(opened: Engine) -> tuple[Facts, Snapshot]:
        facts = collect(opened, progress=say)
        say("reading files")
        return facts, snapshot(opened, content=lambda path: content or path.startswith(CONFIGURATION))

    return read_target(target, read, engine=engine, ssh=ssh, progress=say)
