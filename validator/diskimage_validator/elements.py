"""Where this distribution's diskimage-builder elements are."""

from importlib.metadata import Distribution
from pathlib import Path
from typing import Final

from diskimage_validator.errors import UsageError
from diskimage_validator.model import DISTRIBUTION

_INSTALLED: Final = ("share", DISTRIBUTION, "elements")


def elements_path() -> Path:
    """Return the absolute folder to put on ELEMENTS_PATH.

    First what was installed with the distribution (a wheel's data files), then ``elements/`` of the checkout that this
    module lies in (an editable installation has no data files). Never anything relative to the current folder, which
    may belong to somebody else. Raises UsageError if neither is there.
    """
    for folder in (_installed(), Path(__file__).resolve().parents[2] / "elements"):
        if folder and folder.is_dir():
            return folder
    raise UsageError(
        "the elements are not installed",
        f"install {DISTRIBUTION} from its wheel, or with pip install -e from a checkout",
    )


def _installed() -> Path | None:
    # Only the record beside this very module counts: ``python -m`` puts the current folder on the module path, and a
    # checkout there has a record of its own.
    beside = str(Path(__file__).resolve().parents[1])
    for distribution in Distribution.discover(name=DISTRIBUTION, path=[beside]):
        for entry in distribution.files or []:
            for index in range(len(entry.parts) - len(_INSTALLED)):
                if entry.parts[index : index + len(_INSTALLED)] == _INSTALLED:
                    inside = len(entry.parts) - index - len(_INSTALLED)
                    return Path(entry.locate()).resolve().parents[inside - 1]
    return None
