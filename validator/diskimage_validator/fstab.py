"""fstab(5), read as libmount does: what is mounted at boot, where and how."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from diskimage_validator.frozen import dataclass

_FIELD: Final = re.compile(rb"[^ \t]+")
_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")


@dataclass(frozen=True)
class Line:
    """One line: ``number`` counts from 1, ``options`` has their values, empty for an option without one.

    Bytes that are not UTF-8 are surrogate-escaped, as in paths of engines.
    """

    source: str
    mountpoint: str
    type: str
    options: Mapping[str, str]
    number: int


def parse_fstab(data: bytes) -> Iterator[Line]:
    r"""Yield the lines that are one: libmount ignores those with less than three fields, and comments.

    Source: mnt_parse_table_line of libmount/src/tab_parse.c; blanks and tabs separate, ``\040`` is a blank in a field.
    """
    for number, line in enumerate(data.split(b"\n"), 1):
        fields = [_text(field) for field in _FIELD.findall(line)]
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        options = (option.partition("=") for option in (fields[3].split(",") if len(fields) > 3 else ()))
        yield Line(fields[0], fields[1], fields[2], {name: value for name, _, value in options}, number)


def _text(field: bytes) -> str:
    return _OCTAL.sub(lambda match: bytes([int(match[1], 8)]), field).decode("utf-8", "surrogateescape")
