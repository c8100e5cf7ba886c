"""``inspect``: what is in an image, without a verdict."""

from typing import Final

import click

from diskimage_validator.cli.boot_options import boot_options
from diskimage_validator.cli.options import (
    facts_engine_option,
    format_option,
    image_format_option,
    output_option,
    quiet_option,
    ssh_options,
)
from diskimage_validator.cli_console import Progress, check_writable, output
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import UsageError, ValidatorError
from diskimage_validator.facts import FACTS
from diskimage_validator.reports import FACT_WRITERS
from diskimage_validator.reports.inspection import INSPECTION_WRITERS, PART_WRITERS
from diskimage_validator.runner import inspect

FORMATS: Final = {**INSPECTION_WRITERS, **{name: writer.write for name, writer in FACT_WRITERS.items()}}


@click.command("inspect")
@click.argument("target")
@facts_engine_option
@image_format_option
@ssh_options
@boot_options
@format_option(FORMATS)
@click.option("--part", type=click.Choice(list(FACTS)), help="Only this kind of fact, and all of it.")
@output_option
@quiet_option
def inspect_command(
    *,
    target: str,
    engine: str,
    image_format: str | None,
    ssh: SshOptions,
    boot: BootOptions,
    report_format: str,
    part: str | None,
    output_file: str | None,
    quiet: bool,
) -> int:
    """Print what is in TARGET, a disk image. The JSON form can be validated later, without the image."""
    if part is not None and report_format not in PART_WRITERS:
        raise UsageError(f"--part has no format {report_format}", f"formats: {', '.join(PART_WRITERS)}")
    if output_file is not None:
        check_writable(output_file)
    with Progress(quiet=quiet) as progress:
        only = None if part is None else {part}
        found = inspect(
            target, engine=engine, image_format=image_format, ssh=ssh, boot=boot, only=only, progress=progress
        )
    with output(output_file) as stream:
        if part is None:
            FORMATS[report_format](found, stream)
        else:
            PART_WRITERS[report_format](found, part, stream)
    # Two engines that differ are "could not tell", as they are for validate.
    return ValidatorError.exit_status if found.agreement and found.agreement.differing else 0
