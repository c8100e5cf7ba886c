"""What the readers of this package find: endpoints, switches, and files that say nothing. Never a password."""

from collections.abc import Iterator
from dataclasses import field
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError, ValidatorError
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.services import Services
from diskimage_validator.facts.sources.urls import locate
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path, decode

MAX_FILE: Final = 1024 * 1024
MAX_FILES: Final = 1_000
MAX_FOUND: Final = 20_000
"""Endpoints, switches and troubles of one target."""
MAX_TEXT: Final = 300


@dataclass(frozen=True)
class Endpoint:
    """A place that the target is told to contact.

    ``kind``: whose configuration it is (``apt``, ``pip``, ``ntp``, ...); ``purpose``: ``packages``, ``proxy``, ``key``,
    ``images``, ``names``, ``time`` or ``code``; ``url``: as written, without password and query; ``host``: in lower
    case, empty for a place on the machine itself; ``enabled``: not switched off; ``credentials``: whether the URL has
    a password or token, which is not kept.
    """

    kind: str
    purpose: str
    path: str
    line: int
    url: str
    host: str
    port: int | None = None
    enabled: bool = True
    credentials: bool = False

    @property
    def address(self) -> str:
        """Host and port as people write them."""
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{host}:{self.port}" if self.port else host


@dataclass(frozen=True)
class Switch:
    """A setting that switches verification off. ``remedy`` says what to do instead."""

    kind: str
    path: str
    line: int
    setting: str
    value: str
    effect: str
    remedy: str


@dataclass(frozen=True)
class Trouble:
    """A file that was not understood. ``refused``: its own tool refuses it, too; else only we could not read it."""

    kind: str
    path: str
    line: int
    reason: str
    refused: bool


@dataclass
class Found:
    """Collects what the readers find. ``files`` are (kind, path) of all files that were read.

    ``services`` is the fact of that name: what does not start contacts nobody.
    """

    engine: Engine
    services: Services | Unreadable | None = None
    endpoints: list[Endpoint] = field(default_factory=list)
    switches: list[Switch] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    files: list[tuple[str, str]] = field(default_factory=list)

    def text(self, kind: str, path: str) -> str | None:
        """Return the text of a file; None if it is not there, or if it cannot be read, which becomes a trouble."""
        try:
            entry = self.engine.stat(path)
            if entry is None or not entry.is_file:
                return None
            content = self.engine.read(path, limit=MAX_FILE)
        except ValidatorError as error:
            self.trouble(kind, path, 0, error.message, refused=False)
            return None
        if (kind, clean_path(path)) not in self.files:
            self.files.append((kind, clean_path(path)))
        return decode(content).replace("\r\n", "\n")

    def names(self, kind: str, folder: str) -> list[str]:
        """Return the names in a folder, sorted; none if there is no such folder."""
        try:
            names = self.engine.listdir(folder)
        except EntryNotFoundError:
            return []
        except ValidatorError as error:
            self.trouble(kind, folder, 0, error.message, refused=False)
            return []
        if len(names) > MAX_FILES:
            self.trouble(kind, folder, 0, f"more than {MAX_FILES} files: the rest was not read", refused=False)
        return names[:MAX_FILES]

    def folder(self, kind: str, folder: str, *suffixes: str) -> Iterator[tuple[str, str]]:
        """Yield (path, text) of the files in a folder whose names end in one of ``suffixes``, in order."""
        for name in self.names(kind, folder):
            if name.endswith(suffixes):
                text = self.text(kind, f"{folder}/{name}")
                if text is not None:
                    yield f"{folder}/{name}", text

    def homes(self) -> list[str]:
        """Return the folders of root and of the users below /home."""
        return ["/root", *(f"/home/{name}" for name in self.names("home", "/home"))]

    def endpoint(
        self, kind: str, purpose: str, path: str, line: int, url: str, *, enabled: bool = True, schemeless: str = "host"
    ) -> None:
        """Note an endpoint by its URL; ``schemeless``: what a text without a scheme is, ``host`` or ``path``."""
        where = locate(url, schemeless=schemeless)
        shown, host = where.shown[:MAX_TEXT], where.host[:MAX_TEXT]
        found = Endpoint(kind, purpose, clean_path(path), line, shown, host, where.port, enabled, where.credentials)
        if self._room() and found not in self.endpoints[-50:]:
            self.endpoints.append(found)

    def switch(self, kind: str, path: str, line: int, setting: str, value: str, effect: str, remedy: str) -> None:
        """Note that verification is off."""
        if self._room():
            setting, value = setting[:MAX_TEXT], value[:MAX_TEXT]
            self.switches.append(Switch(kind, clean_path(path), line, setting, value, effect, remedy))

    def trouble(self, kind: str, path: str, line: int, reason: str, *, refused: bool) -> None:
        """Note that a file could not be understood."""
        found = Trouble(kind, clean_path(path), line, clean_path(reason)[:MAX_TEXT], refused)
        if len(self.troubles) < MAX_FOUND and found not in self.troubles:
            self.troubles.append(found)

    def malformed(self, kind: str, path: str, error: Malformed) -> None:
        """Note that a file's own tool refuses it."""
        self.trouble(kind, path, error.line, error.reason, refused=True)

    def _room(self) -> bool:
        room = len(self.endpoints) + len(self.switches) < MAX_FOUND
        if not room:
            self.trouble("all", "/", 0, f"more than {MAX_FOUND} endpoints: the rest was not read", refused=False)
        return room


TRUE_WORDS: Final = frozenset({"1", "yes", "true", "on", "enable", "enabled", "with"})
FALSE_WORDS: Final = frozenset({"0", "no", "false", "off", "disable", "disabled", "without"})


def is_true(text: str) -> bool:
    """Whether a word switches something on; the words of apt, libdnf, libzypp and pip together."""
    return text.strip().strip("\"'").lower() in TRUE_WORDS


def is_false(text: str) -> bool:
    """Whether a word switches something off."""
    return text.strip().strip("\"'").lower() in FALSE_WORDS
