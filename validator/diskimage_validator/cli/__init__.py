"""The command ``diskimage-validator``. Only this package and ``cli_console`` print; only this module exits."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Final, NoReturn

import click

from diskimage_validator.cli.certs import certs_command
from diskimage_validator.cli.chain import fetch_chain_command
from diskimage_validator.cli.diff import diff_command
from diskimage_validator.cli.explain import explain_command
from diskimage_validator.cli.files import cat_command, find_command, ls_command
from diskimage_validator.cli.host import doctor_command, elements_path_command
from diskimage_validator.cli.inspect import inspect_command
from diskimage_validator.cli.policy import policy_group
from diskimage_validator.cli.schema import schema_command
from diskimage_validator.cli.validate import validate_command
from diskimage_validator.cli_console import guarded
from diskimage_validator.errors import UsageError
from diskimage_validator.model import DISTRIBUTION

PROGRAM: Final = "diskimage-validator"

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


for command in (
    validate_command,
    inspect_command,
    diff_command,
    ls_command,
    cat_command,
    find_command,
    certs_command,
    fetch_chain_command,
    explain_command,
    policy_group,
    schema_command,
    doctor_command,
    elements_path_command,
):
    cli.add_command(command)


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
