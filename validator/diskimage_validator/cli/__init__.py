"""The command ``diskimage-validator``. Only this package and ``cli_console`` print; only this module exits."""

import atexit
import gc
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, NoReturn

import click

from diskimage_validator.cli.lazy import LazyGroup
from diskimage_validator.cli_console import guarded
from diskimage_validator.errors import UsageError
from diskimage_validator.release import VERSION

PROGRAM: Final = "diskimage-validator"

# The control character keeps click from filling the paragraph after it.
EPILOG: Final = """\b
Exit status:
  0    all checks passed
  1    findings at or above the threshold; a statement that is refused
  2    wrong usage, policy or factory.yaml, or nothing was checked
  3    the target could not be read, or a check could not tell
  130  interrupted (143: by SIGTERM)
"""


COMMANDS: Final = {
    "validate": "diskimage_validator.cli.validate:validate_command",
    "inspect": "diskimage_validator.cli.inspect:inspect_command",
    "diff": "diskimage_validator.cli.diff:diff_command",
    "ls": "diskimage_validator.cli.files:ls_command",
    "cat": "diskimage_validator.cli.files:cat_command",
    "find": "diskimage_validator.cli.files:find_command",
    "certs": "diskimage_validator.cli.certs:certs_command",
    "fetch-chain": "diskimage_validator.cli.chain:fetch_chain_command",
    "explain": "diskimage_validator.cli.explain:explain_command",
    "readiness": "diskimage_validator.cli.readiness:readiness_group",
    "policy": "diskimage_validator.cli.policy:policy_group",
    "report": "diskimage_validator.cli.report:report_command",
    "attest": "diskimage_validator.cli.attest:attest_command",
    "verify": "diskimage_validator.cli.verify:verify_command",
    "schema": "diskimage_validator.cli.schema:schema_command",
    "doctor": "diskimage_validator.cli.host:doctor_command",
    "elements-path": "diskimage_validator.cli.host:elements_path_command",
}
"""All commands, each with the place of its function."""


@click.group(
    cls=LazyGroup,
    members=COMMANDS,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(VERSION, prog_name=PROGRAM)
def cli() -> None:
    """Read a disk image and say whether it is what was asked for."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status. ``arguments`` are those after the program's name."""
    return guarded(lambda: _run(arguments))


def main() -> NoReturn:
    """Run the command line and exit."""
    _be_quick()
    # What ends us by default would leave temporary folders behind; this way, everything is closed on the way out.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    _leave(run())


def _leave(status: int) -> NoReturn:
    """Exit, without freeing first all that there is, object by object: the end of the process does it at once.

    What waits for the end of the program is done as ever: open files and temporary folders have functions for it.
    """
    if threading.active_count() == 1:
        atexit._run_exitfuncs()  # noqa: SLF001 - of what sys.exit does, all that is not for memory
        with suppress(OSError, ValueError):  # else the interpreter has to say it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    sys.exit(status)


def _be_quick() -> None:
    """Prepare this process, which is ours alone and soon over, for a quick start."""
    # Modules and facts stay to the end: looking for garbage among them every 700 objects finds none.
    gc.set_threshold(1_000_000, 50, 1000)
    # pydantic would read the metadata of every installed distribution, in search of plug-ins that we do not want.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


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
