"""Files that their tool reads with Python's configparser, read with configparser, and the line of every setting."""

import configparser
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.formats.base import Malformed, Setting

MAX_SIZE: Final = 64 * 1024
"""configparser needs quadratic time to list all errors of a file."""


class _Key(str):
    """A key that knows its line."""

    __slots__ = ("line",)
    line: int


class _Parser(configparser.RawConfigParser):
    """Notes the line of each key: configparser asks for the form of a key while it is at its line."""

    line = 0

    def optionxform(self, optionstr: str) -> str:
        key = _Key(optionstr.lower())
        key.line = self.line
        return key

    def lines(self, text: str) -> Iterator[str]:
        for self.line, line in enumerate(text.split("\n"), start=1):
            yield f"{line}\n"


def parse_python_ini(text: str) -> list[Setting]:
    """Return the settings, keys in lower case. Raises Malformed for what configparser refuses."""
    if len(text) > MAX_SIZE:
        raise Malformed(0, f"more than {MAX_SIZE // 1024} KiB")
    parser = _Parser()
    try:
        parser.read_file(parser.lines(text))
    except configparser.MissingSectionHeaderError as error:
        raise Malformed(error.lineno, "a setting before the first section") from error
    except configparser.ParsingError as error:
        line = error.errors[0][0] if error.errors else 0
        raise Malformed(line, "neither a section nor a setting") from error
    except configparser.DuplicateOptionError as error:
        raise Malformed(error.lineno or 0, "the same setting twice in one section") from error
    except configparser.DuplicateSectionError as error:
        raise Malformed(error.lineno or 0, "the same section twice") from error
    except (configparser.Error, AttributeError) as error:  # AttributeError: a continuation of a key without a value
        raise Malformed(parser.line, "no text that configparser reads") from error
    return [
        Setting(section, str(key), value or "", key.line)
        for section in parser.sections()
        for key, value in parser.items(section)  # what [DEFAULT] says is in each of them
        if isinstance(key, _Key)
    ]
