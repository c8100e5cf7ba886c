"""The command ``diskimage-validator``. Only this module and ``cli_console`` print; only this one exits."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Final, NoReturn

import click

from diskimage_validator import facts as facts_module
from diskimage_validator.cli_console import Progress, guarded, output
from diskimage_validator.doctor import diagnose
from diskimage_validator.elements import elements_path
from diskimage_validator.engines.open import ENGINES
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import Facts
from diskimage_validator.image_file import FORMATS
from diskimage_validator.model import Report, Severity
from diskimage_validator.policy import load_policy, shipped_policies, shipped_text
from diskimage_validator.policy_model import Policy
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.diagnosis import write_diagnoses
from diskimage_validator.reports.inspection import INSPECTION_WRITERS
from diskimage_validator.reports.text_report import write_verdict
from diskimage_validator.runner import DISTRIBUTION, inspect, run_checks, validate

PROGRAM: Final = "diskimage-validator"

engine_option = click.option("--engine", type=click.Choice(ENGINES), default="auto", help="What reads the image.")
image_format_option = click.option(
    "--image-format", type=click.Choice(FORMATS), help="Format of the image file; detected if left out."
)
output_option = click.option(
    "--output", "output_file", metavar="FILE", help="Write there instead of to standard output."
)
quiet_option = click.option("--quiet", is_flag=True, help="No progress; of the text report only the verdict.")


# The control character keeps click from filling the paragraph after it.
EPILOG: Final = """\b
Exit status:
  0    all checks passed
  1    findings at or above the threshold
  2    wrong usage or policy, or nothing was checked
  3    the target could not be read, or a check could not tell
  130  interrupted
"""


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version(DISTRIBUTION), prog_name=PROGRAM)
def cli() -> None:
    """Read a disk image and say whether it is what was asked for."""


@cli.command("validate")
@click.argument("target", required=False)
@click.option("--policy", "policy_name", required=True, metavar="NAME|FILE", help="Shipped policy, or a YAML file.")
@click.option(
    "--ca", "cas", multiple=True, metavar="FILE", help="A CA that has to be trusted (PEM or DER); repeatable."
)
@engine_option
@image_format_option
@click.option("--facts", "facts_file", metavar="FILE", help="Judge facts of 'inspect --format json', not an image.")
@click.option("--format", "report_format", type=click.Choice(list(WRITERS)), default="text", help="Default: text.")
@output_option
@click.option("--report", "reports", multiple=True, metavar="FORMAT=FILE", help="A further report; repeatable.")
@click.option(
    "--threshold",
    type=click.Choice([str(severity) for severity in Severity]),
    default=str(Severity.WARNING),
    help="Least severity of a failure that fails the image. Default: warning.",
)
@quiet_option
def validate_command(
    *,
    target: str | None,
    policy_name: str,
    cas: Sequence[str],
    engine: str,
    image_format: str | None,
    facts_file: str | None,
    report_format: str,
    output_file: str | None,
    reports: Sequence[str],
    threshold: str,
    quiet: bool,
) -> int:
    """Check TARGET, a disk image, against a policy."""
    if (target is None) == (facts_file is None):
        raise UsageError("name either a TARGET or --facts FILE", f"{PROGRAM} validate --help")
    further = [_report_option(text) for text in reports]
    policy = load_policy(policy_name, ca_files=cas)
    if facts_file is not None:
        report = run_checks(policy, _load_facts(facts_file))
    else:
        report = _validate(str(target), policy, engine, image_format, quiet=quiet)
    severity = Severity(threshold)
    _write_report(report, report_format, output_file, severity, quiet=quiet)
    for name, path in further:
        _write_report(report, name, path, severity)
    return report.exit_status(severity)


@cli.command("inspect")
@click.argument("target")
@engine_option
@image_format_option
@click.option(
    "--format", "report_format", type=click.Choice(list(INSPECTION_WRITERS)), default="text", help="Default: text."
)
@output_option
@click.option("--quiet", is_flag=True, help="No progress.")
def inspect_command(
    target: str, engine: str, image_format: str | None, report_format: str, output_file: str | None, quiet: bool
) -> int:
    """Print what is in TARGET, a disk image. The JSON form can be validated later, without the image."""
    with Progress(quiet=quiet) as progress:
        found = inspect(target, engine=engine, image_format=image_format, progress=progress)
    with output(output_file) as stream:
        INSPECTION_WRITERS[report_format](found, stream)
    return 0


@cli.command("doctor")
def doctor_command() -> int:
    """Say whether this host can read images, and how to mend what is missing."""
    with Progress() as progress:
        diagnoses = diagnose(progress=progress)
    with output(None) as stream:
        return 0 if write_diagnoses(diagnoses, stream) else 3


@cli.group("policy")
def policy_group() -> None:
    """Show the shipped policies, or check one of your own."""


@policy_group.command("list")
def policy_list() -> int:
    """List the shipped policies."""
    with output(None) as stream:
        for name in shipped_policies():
            stream.write(f"{name:20}{load_policy(name).rules.description}\n")
    return 0


@policy_group.command("show")
@click.argument("name")
def policy_show(name: str) -> int:
    """Print the shipped policy NAME, e.g. as a start for your own."""
    with output(None) as stream:
        stream.write(shipped_text(name))
    return 0


@policy_group.command("check")
@click.argument("file")
def policy_check(file: str) -> int:
    """Say whether the policy FILE can be used, with all its errors at once."""
    policy = load_policy(file)
    with output(None) as stream:
        stream.write(f"policy {policy.name} is in order, sha256 {policy.digest}\n")
    return 0


@cli.command("elements-path")
def elements_path_command() -> int:
    """Print the folder of this distribution's elements, for ELEMENTS_PATH."""
    with output(None) as stream:
        stream.write(f"{elements_path()}\n")
    return 0


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status. ``arguments`` are those after the program's name."""
    return guarded(lambda: _run(arguments))


def main() -> NoReturn:
    """Run the command line and exit."""
    sys.exit(run())


def _run(arguments: Sequence[str] | None) -> int:
    try:
        status = cli.main(args=arguments, prog_name=PROGRAM, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        hint = f"{error.ctx.command_path} --help" if isinstance(error, click.UsageError) and error.ctx else ""
        raise UsageError(error.format_message(), hint) from error
    except click.Abort as error:
        raise KeyboardInterrupt from error
    return int(status or 0)


def _validate(target: str, policy: Policy, engine: str, image_format: str | None, *, quiet: bool) -> Report:
    with Progress(quiet=quiet) as progress:
        return validate(target, policy, engine=engine, image_format=image_format, progress=progress)


def _report_option(text: str) -> tuple[str, str]:
    name, _, path = text.partition("=")
    if name not in WRITERS or not path:
        raise UsageError(f"--report {text}: write FORMAT=FILE", f"formats: {', '.join(WRITERS)}")
    return name, path


def _load_facts(path: str) -> Facts:
    try:
        found = facts_module.replay(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read facts {path}: {error.strerror or error}") from error
    note = f"judged by facts that were collected at {found.collected:%Y-%m-%d %H:%M} UTC; the image was not read again"
    return replace(found, notes=(*found.notes, note))


def _write_report(report: Report, name: str, path: str | None, threshold: Severity, *, quiet: bool = False) -> None:
    with output(path) as stream:
        if name == "text" and quiet:
            write_verdict(report, stream, threshold)
        else:
            WRITERS[name](report, stream, threshold)
