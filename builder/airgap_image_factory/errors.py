"""Errors of the build side. They carry a remedy and an exit status, as the validator's do."""

from diskimage_validator.errors import ValidatorError


class BuildError(ValidatorError):
    """The image could not be built. ``message`` may have several lines: the end of the build log, for instance."""

    exit_status = 4
