"""What the readers of this package note: settings, and the places that they name."""

import re
from dataclasses import field
from typing import Final

from diskimage_validator.certificates import fingerprints
from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.ca_settings import ADDS, OFF, REPLACES, CaPlace, CaSetting
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_SETTINGS: Final = 5_000
MAX_PLACES: Final = 200
MAX_TEXT: Final = 300
MAX_LINKS: Final = 5_000
FILE_LIMIT: Final = 16 * 1024 * 1024
TOTAL_LIMIT: Final = 128 * 1024 * 1024
"""Bytes of all files that settings name."""
_HASH_LINK: Final = re.compile(r"[0-9a-f]{8}\.[0-9]{1,4}", re.ASCII)
_HOME: Final = re.compile(r"^(?:~|\$HOME|\$\{HOME\})(?=/)")


@dataclass
class Noted:
    """Collects settings. ``found`` reads files and notes trouble with them."""

    found: Found
    settings: list[CaSetting] = field(default_factory=list)
    places: dict[str, CaPlace] = field(default_factory=dict)
    _left: int = TOTAL_LIMIT

    def off(self, kind: str, name: str, path: str, line: int, consequence: str) -> None:
        """Note that a setting switches verification off."""
        self._note(CaSetting(kind, name[:MAX_TEXT], clean_path(path), line, OFF, consequence=consequence))

    def points(
        self,
        kind: str,
        name: str,
        path: str,
        line: int,
        value: str,
        *,
        home: str = "",
        adds: bool = False,
        computed: bool = False,
        several: bool = False,
    ) -> None:
        """Note that a setting names CAs.

        ``home``: whose ``~`` or ``$HOME`` the value may begin with; ``adds``: the CAs are trusted besides others;
        ``computed``: the value has more to it than text; ``several``: colons separate paths.
        """
        effect = ADDS if adds else REPLACES
        targets: list[str] = []
        unknown = "its value is computed" if computed and not value else ""
        for part in value.split(":") if several else [value]:
            if not part:
                continue
            resolved = _HOME.sub(home, part, count=1) if home else part
            if "$" in resolved or (computed and resolved == part):
                unknown = "its value is computed"
            elif not resolved.startswith("/"):
                unknown = "it depends on the working directory"
            else:
                targets.append(resolved)
        shown = clean_path(value)[:MAX_TEXT]
        self._note(
            CaSetting(
                kind,
                name[:MAX_TEXT],
                clean_path(path),
                line,
                effect,
                shown,
                tuple(self._place(target) for target in targets),
                unknown,
            )
        )

    def _note(self, setting: CaSetting) -> None:
        if setting in self.settings[-50:]:
            return
        if len(self.settings) < MAX_SETTINGS:
            self.settings.append(setting)
        else:
            self.found.trouble("settings", "/", 0, f"more than {MAX_SETTINGS} settings", refused=False)

    def _place(self, path: str) -> str:
        key = clean_path(path)[:MAX_TEXT]
        if key not in self.places:
            if len(self.places) == MAX_PLACES:
                place = CaPlace(key, "file", key, unreadable=f"more than {MAX_PLACES} places are named")
            else:
                place = self._read(path, key)
            self.places[key] = place
        return key

    def _read(self, path: str, key: str) -> CaPlace:
        engine = self.found.engine
        try:
            entry = engine.stat(path)
            real = clean_path(engine.resolve(path))
            if entry is None or not (entry.is_file or entry.is_dir):
                return CaPlace(key, "missing", real)
            if entry.is_dir:
                return self._directory(engine, path, CaPlace(key, "directory", real))
            return CaPlace(key, "file", real, self._certificates(engine, path))
        except ValidatorError as error:
            return CaPlace(key, "file", key, unreadable=clean_path(error.message)[:MAX_TEXT])

    def _directory(self, engine: Engine, path: str, place: CaPlace) -> CaPlace:
        names = [name for name in engine.listdir(path) if _HASH_LINK.fullmatch(name)]
        certificates: list[str] = []
        reasons: list[str] = [] if len(names) <= MAX_LINKS else [f"more than {MAX_LINKS} hash links"]
        for name in names[:MAX_LINKS]:
            entry = engine.stat(f"{path}/{name}")
            if entry is None or not entry.is_file:
                continue
            try:
                certificates += self._certificates(engine, f"{path}/{name}")
            except ValidatorError as error:
                reasons.append(clean_path(error.message)[:MAX_TEXT])
        return CaPlace(
            place.path, place.kind, place.real, tuple(dict.fromkeys(certificates)), reasons[0] if reasons else ""
        )

    def _certificates(self, engine: Engine, path: str) -> tuple[str, ...]:
        data = engine.read(path, limit=min(FILE_LIMIT, self._left))
        self._left -= len(data)
        return tuple(dict.fromkeys(fingerprints(data)))


def unquoted(text: str) -> str:
    """Return ``text`` without blanks around it and a pair of quotes."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0] else text
