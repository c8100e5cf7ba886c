"""``validate``: hold an image against a policy.

What reads, judges and reports is imported after the image's digest was begun: both take a third of a second.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from diskimage_validator import digest, image_file
from diskimage_validator.cli.boot_options import boot_options
from diskimage_validator.cli.options import (
    all_option,
    facts_engine_option,
    format_option,
    image_format_option,
    output_option,
    quiet_report_option,
    report_option,
    ssh_options,
    threshold_option,
)
from diskimage_validator.cli_console import Progress
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import UsageError
from diskimage_validator.model import Severity
from diskimage_validator.printable import clean_path
from diskimage_validator.quick_imports import import_quickly, our_late_patterns
from diskimage_validator.reports import FACT_WRITERS, WRITERS

if TYPE_CHECKING:
    from diskimage_validator.endpoints import Endpoint
    from diskimage_validator.facts import Facts

FORMATS: Final = (*WRITERS, *FACT_WRITERS)


@click.command("validate")
@click.argument("targets", metavar="[TARGET]...", nargs=-1)
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
@facts_engine_option
@image_format_option
@ssh_options
@boot_options
@click.option("--facts", "facts_file", metavar="FILE", help="Judge facts of 'inspect --format json', not an image.")
@format_option(FORMATS)
@output_option
@report_option
@threshold_option("the image")
@click.option("--name", metavar="TEXT", help="What the reports call the target. Default: TARGET.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Targets at a time; default: one per processor.")
@click.option(
    "--share-appliance",
    is_flag=True,
    help="Of several images, read those that guestfs reads in one virtual machine: faster, for images of one origin.",
)
@all_option
@quiet_report_option
def validate_command(
    *,
    targets: Sequence[str],
    policy_name: str,
    cas: Sequence[str],
    endpoints: Sequence[str],
    engine: str,
    image_format: str | None,
    ssh: SshOptions,
    boot: BootOptions,
    facts_file: str | None,
    report_format: str,
    output_file: str | None,
    reports: Sequence[str],
    threshold: str,
    name: str | None,
    jobs: int | None,
    share_appliance: bool,
    everything: bool,
    quiet: bool,
) -> int:
    """Check TARGET, a disk image, against a policy.

    With several, standard output gets one summary, and {name} in the FILE of a report stands for each target's name.
    """
    if bool(targets) == (facts_file is not None):
        raise UsageError("name either a TARGET or --facts FILE", "diskimage-validator validate --help")
    has_digest = len(targets) == 1 and digest.begin(Path(targets[0]))
    import_quickly()
    if has_digest:
        image_file.begin(Path(targets[0]), image_format=image_format)
    with our_late_patterns():
        from diskimage_validator.cli.reports import (
            Destination,
            check_destinations,
            destination,
            needed_facts,
            write_reports,
        )
        from diskimage_validator.endpoints import Address
        from diskimage_validator.policy import load_policy
        from diskimage_validator.runner import examine, run_checks

    style = "all" if everything else "verdict" if quiet else ""
    destinations = [Destination(report_format, output_file, style), *map(destination, reports)]
    if len(targets) < 2:
        check_destinations(destinations)
    else:
        from diskimage_validator.cli.fleet import Fleet, check_fleet

        check_fleet(targets, destinations)
        if boot.serial_log:
            raise UsageError("--serial-log is for one target", "validate this one apart")
        if name is not None:
            raise UsageError("--name is for one target", "leave it out")
    if share_appliance and (jobs or 1) > 1:
        raise UsageError(f"--share-appliance and --jobs {jobs}", "with one appliance, images are read one by one")
    policy = load_policy(
        policy_name,
        ca_files=cas,
        endpoints=[_endpoint_option(text) for text in endpoints],
        live_registry=Address(boot.served.name, boot.served.port) if boot.served else None,
    )
    severity = Severity(threshold)
    if len(targets) > 1:
        fleet = Fleet(targets, policy, destinations, severity)
        return fleet.run(
            jobs=jobs,
            engine=engine,
            image_format=image_format,
            ssh=ssh,
            boot=boot,
            share_appliance=share_appliance,
            quiet=quiet,
        )
    if facts_file is not None:
        facts = _load_facts(facts_file)
        report = run_checks(policy, facts)
    else:
        also = needed_facts(destinations)
        with Progress(quiet=quiet) as progress:
            facts, report = examine(
                targets[0],
                policy,
                engine=engine,
                image_format=image_format,
                ssh=ssh,
                boot=boot,
                also=also,
                processes=len(os.sched_getaffinity(0)),
                progress=progress,
            )
    if name is not None:
        called = replace(report.target, name=clean_path(name))
        report, facts = replace(report, target=called), replace(facts, target=called)
    write_reports(report, facts, destinations, severity)
    return report.exit_status(severity)


def _endpoint_option(text: str) -> "Endpoint":
    from diskimage_validator.endpoints import Endpoint, parse_address
    from diskimage_validator.policy_files import read_endpoint

    name, given, chain = text.partition("=")
    address = parse_address(name)
    if given:
        return read_endpoint(address, chain)
    from diskimage_validator.chain_fetch import fetch_chain

    return Endpoint(address, fetch_chain(address), source="fetched now")


def _load_facts(path: str) -> "Facts":
    from diskimage_validator.facts import replay

    try:
        found = replay(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read facts {path}: {error.strerror or error}") from error
    note = f"judged by facts that were collected at {found.collected:%Y-%m-%d %H:%M} UTC; the image was not read again"
    return replace(found, notes=(*found.notes, note))
