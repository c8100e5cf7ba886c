"""``disk-image-create-validated``: what Nodepool and Zuul call in place of disk-image-create.

It has no options of its own: its command line is that of disk-image-create, its settings are variables ``DIB_GATE_*``.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate.front import Interrupted, Ledger, work_behind_a_front
from airgap_image_factory.gate.log import NAME, BuildLog
from airgap_image_factory.gate.options import Invocation, parse
from diskimage_validator.cli_console import print_error
from diskimage_validator.errors import ValidatorError

HELP: Final = f"""
{NAME} validates what it builds, and leaves nothing that does not pass.

Environment variables of its own:
  * DIB_GATE_POLICY: shipped policy or YAML file (default container-node)
  * DIB_GATE_CA: files with CAs that have to be trusted, separated by colons (default DIB_TRUSTED_CA_BUNDLE)
  * DIB_GATE_ENGINE: auto, direct, guestfs or both
  * DIB_GATE_THRESHOLD: info, warning or critical
  * DIB_GATE_REPORTS: folder for the reports (default beside the image, in IMAGENAME.d)
  * DIB_GATE_REJECTED: keep or remove
  * DIB_GATE_QEMU_IMG_OPTIONS: replaces --qemu-img-options
  * DIB_GATE_STATE: folder in which failures are remembered
  * DIB_GATE_BACKOFF: FIRST:GREATEST delay in seconds after a failure of the policy (default 900:86400)

Exit status: 0 passed; 1 the policy found something; 2 wrong usage or policy; 3 not readable; 4 not built; 128 and the
number of the signal that ended it.
"""


def main() -> None:
    """Be the command."""
    sys.exit(run(sys.argv[1:], dict(os.environ)))


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Do what ``arguments`` ask for, and return the exit status."""
    try:
        invocation = parse(arguments, environment)
        if invocation.informs:
            return _inform(arguments)
    except ValidatorError as error:
        print_error(error)
        return error.exit_status
    log = BuildLog(invocation.logfile, environment)
    return work_behind_a_front(
        lambda ledger: _work(invocation, environment, log, ledger),
        lambda ledger, killed: _clean_up(log, ledger, killed),
        # A builder that was killed does not wait for an image any more. Nodepool says who it is by this variable.
        ends_with_parent="DIB_IMAGE_FILENAME" in environment,
    )


def _inform(arguments: Sequence[str]) -> int:
    from airgap_image_factory.dib import program

    status = subprocess.run([program(), *arguments], check=False).returncode
    if "--version" not in arguments:
        sys.stdout.write(HELP)
    return status


def _work(invocation: Invocation, environment: Mapping[str, str], log: BuildLog, ledger: Ledger) -> int:
    """Do it, and say in the last line how it ended."""
    logging.getLogger().addHandler(_ToLog(log))
    # All of this is imported in the process that works; the one that waits stays small.
    from airgap_image_factory.gate.run import Outcome, run_gate

    if invocation.logfile is not None:
        sys.stdout.write(f"Output logs going to: {invocation.logfile}\n")
        sys.stdout.flush()
    try:
        outcome = run_gate(invocation, environment, log, ledger)
    except Interrupted as error:
        outcome = Outcome(error.exit_status, f"INTERRUPTED by {error.name}: nothing was made, nothing is left")
    except ValidatorError as error:
        hint = f" ({error.hint})" if error.hint else ""
        outcome = Outcome(error.exit_status, f"FAILED: {error.message}{hint}")
    except OSError as error:
        outcome = Outcome(BuildError.exit_status, f"FAILED: {error.filename or 'the host'}: {error.strerror}")
    except Exception as error:  # a bug must not look like a verdict, nor end without a last line
        if os.environ.get("DISKIMAGE_VALIDATOR_DEBUG"):
            raise
        outcome = Outcome(BuildError.exit_status, f"FAILED: internal error: {type(error).__name__}: {error}")
    log.say_last(f"{NAME}: {outcome.line} [exit status {outcome.status}]")
    return outcome.status


def _clean_up(log: BuildLog, ledger: Ledger, killed: str | None) -> None:
    """Do what the working process did not live to do."""
    from airgap_image_factory.gate.places import end_processes, release

    end_processes()
    for folder in ledger.folders():
        release(folder)
    if killed:
        # Not all of them have their names, or nobody was told so: there is no part of an image, and none that failed.
        for name in ledger.names():
            with suppress(OSError):
                name.unlink()
        log.say_last(
            f"{NAME}: FAILED: the build was killed ({killed}), out of memory perhaps "
            f"[exit status {BuildError.exit_status}]"
        )


class _ToLog(logging.Handler):
    """Brings warnings of the libraries into the log of the build."""

    def __init__(self, log: BuildLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.say(f"{NAME}: {record.getMessage()}")
