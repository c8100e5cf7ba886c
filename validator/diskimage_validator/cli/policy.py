"""``policy``: list, show and check policies."""

import click

from diskimage_validator.cli_console import output
from diskimage_validator.policy import load_policy, shipped_policies, shipped_text


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
