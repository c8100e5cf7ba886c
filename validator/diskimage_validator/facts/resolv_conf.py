"""Whom the image asks for names before anything on the node has configured it: /etc/resolv.conf.

While diskimage-builder works in the image, /etc/resolv.conf is a copy of the builder's, and the image's own lies
beside it as ``resolv.conf.ORIG`` (lib/common-functions and lib/img-functions there).
"""

from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.reading import Problem, read_one
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path, decode

PATH: Final = "/etc/resolv.conf"
ORIGINAL: Final = "/etc/resolv.conf.ORIG"
MAX_LENGTH: Final = 100


@dataclass(frozen=True)
class Nameserver:
    """One ``nameserver`` line of resolv.conf(5)."""

    address: str
    line: int


@dataclass(frozen=True)
class ResolvConf:
    """The resolver's configuration.

    ``state`` is ``missing``, ``volatile`` (a link into /run, where the node writes it at every boot) or ``file``;
    ``link`` is the link's text or empty; ``original``: diskimage-builder's copy of the image's own file is there.
    """

    state: str
    link: str
    nameservers: tuple[Nameserver, ...]
    original: bool


def read_resolv_conf(engine: Engine) -> ResolvConf:
    """Return the configuration. Raises FactError if the file cannot be read."""
    entry = engine.lstat(PATH)
    link = clean_path(engine.readlink(PATH)) if entry is not None and entry.is_link else ""
    original = engine.lstat(ORIGINAL) is not None
    if link and engine.resolve(PATH).startswith("/run/"):
        return ResolvConf("volatile", link, (), original)
    data = read_one(engine, PATH)
    if isinstance(data, Problem):
        raise FactError(data.reason)
    return ResolvConf("missing" if data is None else "file", link, parse_resolv_conf(data or b""), original)


def parse_resolv_conf(data: bytes) -> tuple[Nameserver, ...]:
    """Return the name servers in ``data``. The keyword starts its line, as glibc wants it."""
    lines = enumerate(decode(data).split("\n"), start=1)
    words = [(number, line.split()) for number, line in lines if line.startswith("nameserver")]
    return tuple(
        Nameserver(found[1][:MAX_LENGTH], number)
        for number, found in words
        if len(found) > 1 and found[0] == "nameserver"
    )
