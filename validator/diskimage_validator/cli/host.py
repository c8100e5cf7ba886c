"""``doctor`` and ``elements-path``: about this host and this installation."""

import click

from diskimage_validator.cli_console import Progress, output
from diskimage_validator.doctor import diagnose
from diskimage_validator.elements import elements_path
from diskimage_validator.reports.diagnosis import write_diagnoses


@click.command("doctor")
def doctor_command() -> int:
    """Say whether this host can read images, and how to mend what is missing."""
    with Progress() as progress:
        diagnoses = diagnose(progress=progress)
    with output(None) as stream:
        return 0 if write_diagnoses(diagnoses, stream) else 3


@click.command("elements-path")
def elements_path_command() -> int:
    """Print the folder of this distribution's elements, for ELEMENTS_PATH."""
    with output(None) as stream:
        stream.write(f"{elements_path()}\n")
    return 0
