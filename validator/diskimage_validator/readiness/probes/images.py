"""Questions about disk images and their reports: nothing is contacted, and no image is started."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from diskimage_validator.documents import read_bounded
from diskimage_validator.engines.open import read_target
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import Facts, collect
from diskimage_validator.image_file import examine
from diskimage_validator.readiness.facts.images import (
    AskImage,
    AskImageFile,
    AskNodeImage,
    AskReport,
    ImageIdentity,
    StoredReport,
)
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.reports.json_reader import read_report
from diskimage_validator.runner import inspect

NEEDED: Final = ("trust", "ca_stores")


def ask_image(ask: AskImage, _: Means) -> Facts:
    """Return the facts about trust in an image. Raises a ValidatorError if it cannot be read."""
    return read_target(ask.path, lambda engine: collect(engine, only=NEEDED))


def ask_node_image(ask: AskNodeImage, means: Means) -> Facts:
    """Return the facts that a policy needs, or only who the image is. Raises a ValidatorError if it cannot be read."""
    if ask.policy:
        return inspect(ask.path, policy=means.policies[ask.policy])
    return inspect(ask.path, only=())


def ask_image_file(ask: AskImageFile, _: Means) -> ImageIdentity:
    """Return which image a file is. Raises a ValidatorError if it is none that can be read."""
    image = examine(Path(ask.path))
    return ImageIdentity(image.format, image.sha256)


def ask_report(ask: AskReport, _: Means) -> StoredReport:
    """Return what a JSON report says. Raises UsageError if it is none."""
    data = read_bounded(Path(ask.path))
    try:
        report, threshold = read_report(data, ask.path)
    except UsageError as error:
        raise UsageError(f"{ask.path} is no report of this tool", f"{error.message}; {error.hint}") from error
    started = datetime.fromisoformat(report.started).astimezone(UTC)
    return StoredReport(str(report.target.sha256), report.policy_digest, started, report.exit_status(threshold))
