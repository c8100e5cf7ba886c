"""The command ``airgap-image-factory``: the only place of the build side that prints or exits."""

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from airgap_image_factory.image import PARTITION_TABLES, RELEASES, Recipe, make_image
from airgap_image_factory.mirror import choose_mirror
from airgap_image_factory.pki import throw_away_authority
from airgap_image_factory.progress import progress
from diskimage_validator.cli_console import guarded
from diskimage_validator.errors import UsageError
from diskimage_validator.model import Severity
from diskimage_validator.reports import text_report


@click.group()
@click.version_option(package_name="airgap-image-factory")
def main() -> None:
    """Build node images for air-gapped OpenStack clouds, and prove what is in them."""


@main.command()
@click.option("--release", type=click.Choice(RELEASES), default="bookworm", show_default=True, help="Debian release.")
@click.option(
    "--ca",
    "authorities",
    type=click.Path(path_type=Path),
    multiple=True,
    help="CA to trust (PEM or DER). Repeatable. Default: a throw-away CA under pki/ beside the output.",
)
@click.option("--mirror", help="Base URL of a Debian archive. Default: the host's own mirror.")
@click.option("--security-mirror", help="Base URL of its security archive. Default: beside the archive.")
@click.option("--policy", default="container-node", show_default=True, help="Shipped policy or file.")
@click.option("--partition-table", type=click.Choice(PARTITION_TABLES), default="mbr", show_default=True)
@click.option("--element", "elements", multiple=True, metavar="NAME", help="Further element. Repeatable.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/airgap-node.qcow2"),
    show_default=True,
    help="Image to write; its reports go into the folder of the same name with .d",
)
def image(**options: Any) -> None:
    """Build a node image with our elements, validate it and print the verdict.

    Elements are configured by their DIB_* environment variables. Exit status: 0 built and valid; 1 built, but the
    policy found something; 2 wrong usage or policy; 3 built, but not readable; 4 not built; 130 interrupted.
    """
    sys.exit(guarded(lambda: _image(**options)))


def _image(
    *,
    release: str,
    authorities: tuple[Path, ...],
    mirror: str | None,
    security_mirror: str | None,
    policy: str,
    partition_table: str,
    elements: tuple[str, ...],
    output: Path,
) -> int:
    if output.suffix != ".qcow2":
        raise UsageError(f"{output}: the output must end in .qcow2")
    if not authorities:
        authorities = (throw_away_authority(output.parent / "pki").certificate,)
    recipe = Recipe(
        release=release,
        mirror=choose_mirror(mirror, security_mirror),
        authorities=[path.resolve() for path in authorities],
        policy=policy,
        output=output,
        partition_table=partition_table,
        extra_elements=elements,
    )
    with progress(Console(stderr=True)) as said:
        outcome = make_image(recipe, progress=said)
    text_report.write(outcome.report, sys.stdout, Severity.WARNING)
    click.echo(f"\nimage:   {outcome.image}\nreports: {outcome.reports}")
    return outcome.report.exit_status()
