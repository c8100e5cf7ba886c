"""``certs``: who in an image trusts which CAs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from diskimage_validator.cli.options import (
    engine_option,
    format_option,
    image_format_option,
    output_option,
    quiet_option,
    ssh_options,
)
from diskimage_validator.cli_console import Progress, check_writable, output
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.policy_files import read_cas
from diskimage_validator.reports.trust import TRUST_WRITERS, trust_table
from diskimage_validator.runner import inspect

NEEDS: Final = ("os", "trust", "ca_stores", "ca_settings")


@click.command("certs")
@click.argument("target")
@click.option("--ca", "cas", multiple=True, metavar="FILE", help="A CA to look for (PEM or DER); repeatable.")
@engine_option
@image_format_option
@ssh_options
@format_option(TRUST_WRITERS)
@output_option
@quiet_option
def certs_command(
    *,
    target: str,
    cas: Sequence[str],
    engine: str,
    image_format: str | None,
    ssh: SshOptions,
    report_format: str,
    output_file: str | None,
    quiet: bool,
) -> int:
    """Print which stores of CAs TARGET, a disk image, has, who reads them, and which settings lead elsewhere.

    For every store it is said whether it has the CAs of --ca, or, without that, those that were added to the image.
    """
    asked = [ca for file in cas for ca in read_cas(Path(file), file)]
    if output_file is not None:
        check_writable(output_file)
    with Progress(quiet=quiet) as progress:
        facts = inspect(target, engine=engine, image_format=image_format, ssh=ssh, only=NEEDS, progress=progress)
    table = trust_table(facts, asked)
    with output(output_file) as stream:
        TRUST_WRITERS[report_format](table, stream)
    return 0
