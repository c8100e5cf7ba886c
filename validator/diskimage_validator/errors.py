"""What can go wrong, as exceptions with a remedy and an exit status.

The library raises these; only the command line prints them. ``message`` says what happened, ``hint`` what to do
about it. ``exit_status`` is the status the command ends with (see the design: 2 usage or policy, 3 not readable).
"""

from typing import ClassVar


class ValidatorError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_status: ClassVar[int] = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ValidatorError):
    """The call itself makes no sense: an unknown option value, a file that is not there."""

    exit_status = 2


class PolicyError(ValidatorError):
    """The policy cannot be used. ``message`` lists all errors, each with its path and line."""

    exit_status = 2


class RefusedError(ValidatorError):
    """There is no valid evidence that an image is what is demanded. ``message`` has a line per reason."""

    exit_status = 1


class TargetError(ValidatorError):
    """The target cannot be read or must not be read (backing file, unknown format, no root)."""


class EngineError(ValidatorError):
    """An engine cannot run on this host, or died while it ran."""


class PermissionDeniedError(ValidatorError):
    """The account that reads the target may not read this. What depends on it is skipped, and says so."""


class EngineDiedError(EngineError):
    """An engine's helper ended while it was needed. A second attempt may pass."""


class DeclinedError(EngineError):
    """An engine cannot read this target with certainty. ``message`` is the reason; another engine may go on."""


class EntryNotFoundError(ValidatorError):
    """A path does not exist inside the target. Facts catch it; it reaches nobody else."""


class ReadLimitError(ValidatorError):
    """A file inside the target is larger than what the caller is willing to read."""
