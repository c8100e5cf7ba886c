"""Do not build again what cannot pass: Nodepool starts a failed build anew every ten seconds.

When an image does not pass its policy, that is written down with the digest of the build's inputs. As long as the
inputs stay the same the next calls fail at once, with the stored reason, until a delay has passed that doubles each
time; the policy may be right and the mirror wrong, which no input shows. Only verdicts of the policy hold a build back.
Of an image that could not be read it is written down where it lies, so that the next verdict takes it away.
"""

import json
import os
import pwd
import re
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from airgap_image_factory.gate.placing import REJECTED
from diskimage_validator.cli_console import output
from diskimage_validator.errors import UsageError

SUFFIX: Final = ".json"
SCHEMA: Final = 1
_ODD: Final = re.compile(r"[^\w.-]")


@dataclass(frozen=True)
class Failure:
    """That an image did not pass: times in seconds since the epoch, ``count`` of failures in a row.

    ``inputs`` is the digest of what it was made from; ``status`` the exit status; ``reason`` some lines of text;
    ``reports`` the folder with the reports, and with the image if it was kept. With a ``count`` of 0 it only tells of
    these, and holds no build back.
    """

    image: str
    inputs: str
    status: int
    reason: str
    reports: str
    failed_at: float
    count: int
    delay: int

    def remaining(self, now: float) -> float:
        """Return the seconds until it is built again, 0 if that is now; also if the clock was set back since."""
        return max(0.0, self.failed_at + self.delay - now) if now >= self.failed_at else 0.0

    def released(self) -> Self:
        """Return it as one that holds no build back: the next failure counts as the first."""
        return replace(self, count=0, delay=0)

    @classmethod
    def from_json(cls, data: bytes) -> Self | None:
        """Return the failure that ``data`` tells of; None for anything else: then it is built."""
        try:
            found: Any = json.loads(data)
            if found.pop("schema") != SCHEMA:
                return None
            failure = cls(**found)
            return failure if failure.delay >= 0 and failure.failed_at >= 0 else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class Memory:
    """The failures of this host's images, one file each in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def recall(self, image: str) -> Failure | None:
        """Return the last failure of ``image`` if it did not pass since."""
        return _read(self._file(image))

    def failures(self) -> Iterator[Failure]:
        """Yield all failures that hold a build back, or did until now, by name."""
        for file in sorted(self.folder.glob(f"*{SUFFIX}")):
            failure = _read(file)
            if failure is not None and failure.count:
                yield failure

    def clear(self, image: str) -> bool:
        """Let ``image`` be built again at once, as if for the first time. Return whether it was held back."""
        failure = self.recall(image)
        if failure is None or not failure.count:
            return False
        # Where its reports are stays known: the next verdict takes them away.
        self.remember(failure.released())
        return True

    def forget(self, image: str) -> None:
        """Forget the failure of ``image``, if there was one: it passed."""
        try:
            self._file(image).unlink(missing_ok=True)
        except OSError as error:
            raise _unusable(error) from None

    def remember(self, failure: Failure) -> None:
        """Write ``failure`` down in place of an earlier one of the image. Raises UsageError if that cannot be."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unusable(error) from None
        with output(str(self._file(failure.image))) as file:
            json.dump({"schema": SCHEMA, **asdict(failure)}, file, indent=1)

    def prepare(self) -> None:
        """Make sure, before a long build, that a failure can be written down. Raises UsageError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise _unusable(error) from None

    @staticmethod
    def clean(before: Failure | None, new: Path) -> None:
        """Remove reports and image of the failure ``before``, when there are ``new`` reports on the image beside them.

        Nodepool removes what lies beside an image only with the image, and a rejected one has none there.
        """
        if before is None:
            return
        old = Path(before.reports)
        if old == new:  # the next build of a name without a number
            shutil.rmtree(old / REJECTED, ignore_errors=True)
        elif old.parent == new.parent and old.suffix == ".d" and (old / "root-report.json").is_file():
            shutil.rmtree(old, ignore_errors=True)

    def _file(self, image: str) -> Path:
        return self.folder / f"{_ODD.sub('_', image)}{SUFFIX}"


def _read(file: Path) -> Failure | None:
    try:
        return Failure.from_json(file.read_bytes())
    except OSError:
        return None


def next_failure(
    before: Failure | None, *, image: str, inputs: str, status: int, reason: str, reports: Path, bounds: tuple[int, int]
) -> Failure:
    """Return the failure to remember after one ``before``: the delay doubles while the inputs stay as they are."""
    again = before is not None and before.inputs == inputs
    count = before.count + 1 if before is not None and again else 1
    first, greatest = bounds
    delay = min(first * 2 ** min(count - 1, 40), greatest)
    return Failure(image, inputs, status, reason, str(reports), time.time(), count, delay)


def clear_command(image: str, folder: Path) -> str:
    """Return, for a shell, what clears the failure of ``image`` in ``folder`` as this user: sudo(8), unless it is root.

    An operator has neither the builder's account nor its variables, and its programs are not on the PATH.
    """
    user = os.geteuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:  # as in a container
        name = f"#{user}"
    program = Path(sys.executable).with_name("airgap-image-factory")
    clear = [
        "env",
        f"DIB_GATE_STATE={folder}",
        str(program) if program.exists() else program.name,
        "gate",
        "clear",
        image,
    ]
    return shlex.join(clear if user == 0 else ["sudo", "-u", name, *clear])


def _unusable(error: OSError) -> UsageError:
    return UsageError(f"{error.filename}: {error.strerror}", "DIB_GATE_STATE names a folder that can be written to")
