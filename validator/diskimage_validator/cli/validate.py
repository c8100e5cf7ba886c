"""``validate``: hold an image against a policy."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from diskimage_validator import facts as facts_module
from diskimage_validator.chain_fetch import fetch_chain
from diskimage_validator.cli.options import engine_option, image_format_option, output_option
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.endpoints import Endpoint, parse_address
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import Facts
from diskimage_validator.model import Report, Severity
from diskimage_validator.policy import load_policy
from diskimage_validator.policy_files import read_endpoint
from diskimage_validator.policy_model import Policy
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.text_report import write_verdict
from diskimage_validator.runner import run_checks, validate


@click.command("validate")
@click.argument("target", required=False)
@click.option("--policy", "policy_name", required=True, metavar="NAME|FILE", help="Shipped policy, or a YAML file.")
@click.option(
    "--ca", "cas", multiple=True, metavar="FILE", help="A CA that has to be trusted (PEM or DER); repeatable."
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="NAME[:PORT][=CHAIN.pem]",
    help="An endpoint that has to be trusted, and what it presents; without a file that is fetched now; repeatable.",
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
@click.option("--quiet", is_flag=True, help="No progress; of the text report only the verdict.")
def validate_command(
    *,
    target: str | None,
    policy_name: str,
    cas: Sequence[str],
    endpoints: Sequence[str],
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
        raise UsageError("name either a TARGET or --facts FILE", "diskimage-validator validate --help")
    further = [_report_option(text) for text in reports]
    policy = load_policy(policy_name, ca_files=cas, endpoints=[_endpoint_option(text) for text in endpoints])
    if facts_file is not None:
        report = run_checks(policy, _load_facts(facts_file))
    else:
        report = _validate(str(target), policy, engine, image_format, quiet=quiet)
    severity = Severity(threshold)
    _write_report(report, report_format, output_file, severity, quiet=quiet)
    for name, path in further:
        _write_report(report, name, path, severity)
    return report.exit_status(severity)


def _validate(target: str, policy: Policy, engine: str, image_format: str | None, *, quiet: bool) -> Report:
    with Progress(quiet=quiet) as progress:
        return validate(target, policy, engine=engine, image_format=image_format, progress=progress)


def _endpoint_option(text: str) -> Endpoint:
    name, given, chain = text.partition("=")
    address = parse_address(name)
    if given:
        return read_endpoint(address, chain)
    return Endpoint(address, fetch_chain(address), source="fetched now")


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
