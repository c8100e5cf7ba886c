"""Formats in which dpkg notes what packages brought: deb-md5sums(5), ``Conffiles``, diversions.

Paths come out as an engine takes them. All lists are hostile: whatever is no line of the format raises FactError, for a
list of which a part is not understood proves nothing.
"""

import re
from typing import Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.printable import clean_path

LOCAL: Final = ":"
"""Who has diverted a file, if that was the administrator and no package."""
_SUM: Final = re.compile(r"([0-9a-fA-F]{32}) [ *]?(.+)", re.DOTALL)
_FRONT: Final = re.compile(r"\A(?:\.?/)+")
"""What dpkg's path_skip_slash_dotslash() takes away."""
_CONFFILE: Final = re.compile(r" (/.+?) ([0-9a-f]{32}|newconffile)((?: obsolete| remove-on-upgrade)*)\s*", re.ASCII)

Diversions = dict[str, tuple[str, str]]
"""Path to where it is diverted to, and to the package that did so and keeps the path for itself."""


def text_of(data: bytes) -> str:
    """Return the content of one of dpkg's files with its paths as engines take them."""
    return data.decode("utf-8", "surrogateescape")


def parse_md5sums(data: bytes) -> dict[str, str]:
    """Return absolute path to MD5 in hex."""
    found: dict[str, str] = {}
    text = text_of(data)
    if text and not text.endswith("\n"):
        raise FactError("the list is cut off in the middle of a line")
    for number, line in enumerate(text.split("\n")[:-1], start=1):
        match = _SUM.fullmatch(line)
        if match is None:
            raise FactError(f"line {number} is no MD5 and path")
        found["/" + _FRONT.sub("", match[2], count=1)] = match[1].lower()
    return found


def parse_list(data: bytes) -> set[str]:
    """Return the paths in the list of everything that belongs to a package, which dpkg keeps up to date."""
    return set(text_of(data).split("\n")) - {""}


def parse_diversions(data: bytes) -> Diversions:
    """Return the content of dpkg's ``diversions``."""
    *lines, end = text_of(data).split("\n")
    if end or len(lines) % 3:
        raise FactError("the list of diversions is cut off")
    return {path: (place, owner) for path, place, owner in zip(lines[::3], lines[1::3], lines[2::3], strict=True)}


def parse_conffiles(data: bytes) -> dict[tuple[str, str], dict[str, str]]:
    """Return, of dpkg's status file, path to MD5 in hex of each (package, architecture).

    What a package no longer brings (``obsolete``), or did not yet install, is left out.
    """
    found: dict[tuple[str, str], dict[str, str]] = {}
    name = architecture = ""
    files: dict[str, str] = {}
    inside = False
    for line in [*text_of(data).split("\n"), ""]:
        if line.startswith(" "):
            if inside:
                _add_conffile(line, files, name)
            continue
        inside = line.startswith("Conffiles:")
        if line.startswith("Package:"):
            name = line.partition(":")[2].strip()
        elif line.startswith("Architecture:"):
            architecture = line.partition(":")[2].strip()
        elif not line.strip():
            if name and files:
                found[name, architecture] = files
            name, architecture, files = "", "", {}
    return found


def _add_conffile(line: str, files: dict[str, str], package: str) -> None:
    match = _CONFFILE.fullmatch(line)
    if match is None:
        raise FactError(clean_path(f"a configuration file of {package} has no path and MD5: '{line[:80]}'"))
    if match[2] != "newconffile" and not match[3]:
        files[match[1]] = match[2]
