"""Questions about disk images and their reports: nothing is contacted, and no image is started."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from diskimage_validator.engines.open import read_target
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import Facts, collect
from diskimage_validator.readiness.facts.images import AskImage, AskNodeImage, AskReport, StoredReport
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.runner import inspect

NEEDED: Final = ("trust", "ca_stores")
MAX_REPORT: Final = 64 * 1024 * 1024


def ask_image(ask: AskImage, _: Means) -> Facts:
    """Return the facts about trust in an image. Raises a ValidatorError if it cannot be read."""
    return read_target(ask.path, lambda engine: collect(engine, only=NEEDED))


def ask_node_image(ask: AskNodeImage, means: Means) -> Facts:
    """Return the facts that a policy needs, or only who the image is. Raises a ValidatorError if it cannot be read."""
    if ask.policy:
        return inspect(ask.path, policy=means.policies[ask.policy])
    return inspect(ask.path, only=())


def ask_report(ask: AskReport, _: Means) -> StoredReport:
    """Return what a JSON report says. Raises UsageError if it is none."""
    try:
        with Path(ask.path).open("rb") as file:
            data = file.read(MAX_REPORT + 1)
        if len(data) > MAX_REPORT:
            raise UsageError(f"{ask.path} is larger than {MAX_REPORT // 1024 // 1024} MiB", _HINT)
        found: Any = json.loads(data)
        started = datetime.fromisoformat(found["started"]).astimezone(UTC)
        status = int(found["verdict"]["exit_status"])
        return StoredReport(str(found["target"]["sha256"]), str(found["policy"]["sha256"]), started, status)
    except OSError as error:
        raise UsageError(f"cannot read the report {ask.path}: {error.strerror or error}", _HINT) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"{ask.path} is no report of this tool", _HINT) from error


_HINT: Final = "write it with 'diskimage-validator validate ... --report json=FILE'"
