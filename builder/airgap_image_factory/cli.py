"""The command ``airgap-image-factory``: the only place of the build side that prints or exits."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from airgap_image_factory.airgap.proof import prove
from airgap_image_factory.airgap.service import Service
from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate.backoff import Memory
from airgap_image_factory.gate.settings import state_folder
from airgap_image_factory.image import PARTITION_TABLES, RELEASES, Recipe, make_image
from airgap_image_factory.mirror import choose_mirror
from airgap_image_factory.pki import throw_away_authority
from airgap_image_factory.progress import progress
from diskimage_validator.cli_console import guarded
from diskimage_validator.cli_console import output as output_file
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
@click.option("--allow-plain-http", is_flag=True, help="Allow mirror URLs without TLS.")
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


@main.command("airgap-proof", context_settings={"ignore_unknown_options": True})
@click.option(
    "--allow", "allowed", multiple=True, required=True, metavar="NAME:PORT[=HOST:PORT]", help="A service. Repeatable."
)
@click.option(
    "--evidence",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("build/airgap-proof.json"),
    show_default=True,
    help="Where to write what was seen.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def airgap_proof(allowed: tuple[str, ...], evidence: Path, command: tuple[str, ...]) -> None:
    """Run COMMAND where only the allowed services can be reached, and write down what it asked for.

    A service is known inside as NAME:PORT and really is at HOST:PORT, which is where this host finds NAME unless it is
    said. Exit status: 0 COMMAND succeeded and nothing else was asked for or sent to; 1 something else was; 2 wrong
    usage; 4 COMMAND failed, or the air gap cannot be made on this host.
    """
    sys.exit(guarded(lambda: _airgap_proof(allowed, evidence, command)))


@main.group()
def gate() -> None:
    """See and clear what disk-image-create-validated remembers: images that did not pass their policy."""


@gate.command("status")
def gate_status() -> None:
    """List the images that are not built again for now, with the reason, where DIB_GATE_STATE or its default says."""
    sys.exit(guarded(_gate_status))


@gate.command("clear")
@click.argument("images", metavar="[IMAGE]...", nargs=-1)
def gate_clear(images: tuple[str, ...]) -> None:
    """Forget the failures of the named images, or of all: their next build is not held back."""
    sys.exit(guarded(lambda: _gate_clear(images)))


def _gate_status() -> int:
    memory = Memory(state_folder(os.environ))
    now = time.time()
    failures = list(memory.failures())
    for failure in failures:
        left = failure.remaining(now)
        held = f"not built again for {left:.0f} s" if left else "built again when it is asked for"
        times = "once" if failure.count == 1 else f"{failure.count} times in a row"
        click.echo(f"{failure.image}: failed {times}; {held}, or when an input changes")
        click.echo(f"    {failure.reason}\n    {failure.reports}")
    if not failures:
        click.echo(f"no image is held back ({memory.folder})")
    return 0


def _gate_clear(images: tuple[str, ...]) -> int:
    memory = Memory(state_folder(os.environ))
    for image in images or [failure.image for failure in memory.failures()]:
        if not memory.clear(image):
            raise UsageError(
                f"{image}: nothing in {memory.folder} holds it back",
                "DIB_GATE_STATE has to be the builder's; airgap-image-factory gate status",
            )
        click.echo(f"{image}: forgotten")
    return 0


def _airgap_proof(allowed: tuple[str, ...], path: Path, command: tuple[str, ...]) -> int:
    evidence = prove([Service.parse(text) for text in allowed], command)
    path.parent.mkdir(parents=True, exist_ok=True)
    with output_file(str(path)) as stream:
        stream.write(evidence.as_json())
    for name in evidence.other_names:
        click.echo(f"asked for another name:  {name}", err=True)
    for tried in evidence.packets.tried:
        click.echo(f"tried to reach:          {tried}", err=True)
    if not evidence.packets.rules_unchanged:
        click.echo("the command changed the rules of the air gap", err=True)
    verdict = "nothing else was asked for or sent to" if evidence.closed else "NOT air-gapped"
    click.echo(f"air gap: {verdict}; the command ended with {evidence.status}; evidence: {path}", err=True)
    if evidence.status != 0:
        return BuildError.exit_status
    return 0 if evidence.closed else 1


def _image(
    *,
    release: str,
    authorities: tuple[Path, ...],
    mirror: str | None,
    security_mirror: str | None,
    allow_plain_http: bool,
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
        mirror=choose_mirror(mirror, security_mirror, plain_http=allow_plain_http),
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
