"""``policy``: list, show and check policies, and their schema for editors."""

import datetime
import json

import click
import yaml

from diskimage_validator.cli.options import engine_option, image_format_option, output_option, quiet_option
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.errors import PolicyError
from diskimage_validator.policy import load_policy, resolve, shipped_policies, shipped_text
from diskimage_validator.policy_from_facts import policy_from
from diskimage_validator.policy_lint import lint
from diskimage_validator.policy_schema import policy_schema
from diskimage_validator.runner import inspect


@click.group("policy")
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
@click.argument("policy", metavar="NAME|FILE")
@click.option("--source", is_flag=True, help="The text of a shipped policy, with its comments, instead.")
def policy_show(policy: str, source: bool) -> int:
    """Print a policy whole: with everything that it extends merged in."""
    text = shipped_text(policy) if source else yaml.safe_dump(resolve(policy), sort_keys=False, allow_unicode=True)
    with output(None) as stream:
        stream.write(text)
    return 0


@policy_group.command("check")
@click.argument("policy", metavar="NAME|FILE")
@click.option("--strict", is_flag=True, help="Exit status 2 also for warnings.")
def policy_check(policy: str, strict: bool) -> int:
    """Say whether a policy can be used, with all its errors at once, and what is odd about it."""
    loaded = load_policy(policy)
    warnings = list(lint(loaded, datetime.datetime.now(datetime.UTC).date()))
    with output(None) as stream:
        for warning in warnings:
            stream.write(f"warning: {warning}\n")
        if not (warnings and strict):
            stream.write(f"policy {loaded.name} is in order, sha256 {loaded.digest}\n")
            return 0
    raise PolicyError(f"policy {loaded.name} has warnings")


@policy_group.command("schema")
@output_option
def policy_schema_command(output_file: str | None) -> int:
    """Print the JSON Schema of policies, for an editor that knows YAML."""
    with output(output_file) as stream:
        stream.write(json.dumps(policy_schema(), indent=2) + "\n")
    return 0


@policy_group.command("from-image")
@click.argument("target")
@click.option("--name", default="from-image", help="The policy's name. Default: from-image.")
@engine_option
@image_format_option
@output_option
@quiet_option
def policy_from_image(
    *, target: str, name: str, engine: str, image_format: str | None, output_file: str | None, quiet: bool
) -> int:
    """Write a policy that TARGET satisfies, as a start for your own."""
    with Progress(quiet=quiet) as progress:
        facts = inspect(target, engine=engine, image_format=image_format, progress=progress)
    with output(output_file) as stream:
        stream.write(policy_from(facts, name))
    return 0
