"""How things look, in rich's words, and how text from an image is made fit to be shown."""

from typing import Final

from diskimage_validator.model import Status
from diskimage_validator.printable import MAX_LENGTH, printable

STYLES: Final = {Status.PASS: "green", Status.FAIL: "bold red", Status.SKIP: "yellow", Status.ERROR: "bold magenta"}
WAIVER_STYLES: Final = {"active": "yellow", "expired": "bold red", "unused": "dim"}


def plain(text: str) -> str:
    """Return ``text``, which may come from an image, so that it can be shown: no control characters, not too long."""
    return printable(text, MAX_LENGTH)
