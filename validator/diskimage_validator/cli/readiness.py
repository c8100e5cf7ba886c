"""``readiness``: whether the network around an image factory is what a ``factory.yaml`` says."""

import json
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from diskimage_validator.cli.options import (
    all_option,
    format_option,
    output_option,
    quiet_report_option,
    report_option,
    ssh_options,
    threshold_option,
)
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import UsageError
from diskimage_validator.model import Severity
from diskimage_validator.printable import printable

FORMATS: Final = ("text", "json", "junit", "html")
START: Final = "factory.yaml"


class ReadinessGroup(click.Group):
    """A group in which what is no command is the file that ``check`` reads."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``check`` in front of arguments that begin with no command."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["check", *args]
        return super().parse_args(ctx, args)


@click.group("readiness", cls=ReadinessGroup, subcommand_metavar="FILE [OPTIONS] | COMMAND [ARGS]...")
def readiness_group() -> None:
    """Say whether the network of an image factory is ready: 'readiness factory.yaml'.

    Without a COMMAND, FILE is checked, and everything that it names is contacted: see 'readiness check --help'.
    """


@readiness_group.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@ssh_options
@format_option(FORMATS)
@output_option
@report_option
@threshold_option("the factory")
@all_option
@quiet_report_option
def check_command(
    *,
    file: Path,
    ssh: SshOptions,
    report_format: str,
    output_file: str | None,
    reports: Sequence[str],
    threshold: str,
    everything: bool,
    quiet: bool,
) -> int:
    """Contact what FILE names, and report on it. 'readiness FILE' is the same."""
    from diskimage_validator.cli.reports import Destination, check_destinations, destination, write_reports
    from diskimage_validator.readiness.document import load_factory
    from diskimage_validator.readiness.runner import check_readiness

    style = "all" if everything else "verdict" if quiet else ""
    further = [destination(report, FORMATS) for report in reports]
    destinations = [Destination(report_format, output_file, style), *further]
    check_destinations(destinations)
    factory = load_factory(file)
    with Progress(quiet=quiet) as progress:
        report = check_readiness(factory, ssh=ssh, progress=progress)
    severity = Severity(threshold)
    write_reports(report, None, destinations, severity)
    return report.exit_status(severity)


@readiness_group.command("init")
@click.argument("file", default=START)
def init_command(file: str) -> int:
    """Write a commented FILE to begin with (default: factory.yaml). A file that is there stays as it is."""
    if Path(file).exists():
        raise UsageError(f"{file} is there already", "name another file, or move it away")
    with output(file) as stream:
        stream.write(files("diskimage_validator.readiness").joinpath(START).read_text("utf-8"))
    return 0


@readiness_group.command("schema")
@output_option
def schema_command(output_file: str | None) -> int:
    """Print the JSON Schema of a factory.yaml, for an editor that knows YAML."""
    from diskimage_validator.policy_schema import schema_of
    from diskimage_validator.readiness.rules.document import FactoryRules

    with output(output_file) as stream:
        stream.write(json.dumps(schema_of(FactoryRules, "factory.yaml of diskimage-validator"), indent=2) + "\n")
    return 0


@readiness_group.command("plan")
@click.argument("file", type=click.Path(path_type=Path))
@output_option
def plan_command(file: Path, output_file: str | None) -> int:
    """Print what would be contacted, without contacting it."""
    from diskimage_validator.readiness.document import load_factory
    from diskimage_validator.readiness.plan import plan_rows

    rows = [tuple(map(printable, row)) for row in plan_rows(load_factory(file))]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    with output(output_file) as stream:
        for line, target, what in rows:
            stream.write(f"{line:{widths[0]}}  {target:{widths[1]}}  {what}\n")
        stream.write(f"{len(rows)} questions; nothing was contacted\n")
    return 0 if rows else 2
