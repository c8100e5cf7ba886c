"""What all parsers of configuration files share: how they say that a text is none, and what they return."""

from diskimage_validator.frozen import dataclass


class Malformed(Exception):  # noqa: N818 - it says what the text is; FactError is for what stops a fact
    """The text is not what its own tool reads: that tool refuses it, too. ``line`` counts from 1, 0 if unknown."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Setting:
    """One setting of a file with sections. ``line`` is where it begins, from 1."""

    section: str
    key: str
    value: str
    line: int
