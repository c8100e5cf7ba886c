"""Time servers: chrony.conf(5), ntp.conf(5) and timesyncd.conf(5), the last with what is compiled into it."""

from typing import Final

from diskimage_validator.errors import TargetError
from diskimage_validator.facts.formats.systemd_conf import list_of
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.sources.systemd import compiled_in, read_settings, starts
from diskimage_validator.globs import name_matches

KIND: Final = "ntp"
CHRONY: Final = ("/etc/chrony.conf", "/etc/chrony/chrony.conf")
NTP: Final = ("/etc/ntp.conf", "/etc/ntpsec/ntp.conf", "/etc/ntp/ntp.conf")
MAX_INCLUDES: Final = 100
"""Lines that include something, in all files."""
_SERVERS: Final = ("server", "pool", "peer")


def read_ntp(found: Found) -> None:
    """Collect the time servers of chrony, ntpd and systemd-timesyncd."""
    reader = _Reader(found)
    for path in CHRONY:
        reader.chrony(path)
    for path in NTP:
        reader.ntp(path)
    _timesyncd(found)


class _Reader:
    """Reads the files of chrony and ntpd, each once, so that files which include each other end."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self._seen: set[str] = set()
        self._includes = 0

    def chrony(self, path: str) -> None:
        for number, line in enumerate(self._text(path).split("\n"), start=1):
            words = line.split()
            if len(words) < 2 or words[0][0] in "!;#%":
                continue
            command, first = words[0].lower(), words[1]
            if command in _SERVERS:
                self._found.endpoint(KIND, "time", path, number, first)
            elif command == "include" and self._may_include(path, number):
                for name in self._glob(first):
                    self.chrony(name)
            elif command in ("confdir", "sourcedir") and self._may_include(path, number):
                suffix = ".conf" if command == "confdir" else ".sources"
                folders: dict[str, str] = {}
                for folder in reversed(words[1:MAX_INCLUDES]):  # a folder that is named before another one wins
                    folders |= {name: folder for name in self._found.names(KIND, folder) if name.endswith(suffix)}
                for name, folder in sorted(folders.items()):
                    self.chrony(f"{folder}/{name}")

    def ntp(self, path: str) -> None:
        for number, line in enumerate(self._text(path).split("\n"), start=1):
            words = [word for word in line.partition("#")[0].split() if word not in ("-4", "-6")]
            if len(words) > 1 and words[0].lower() in _SERVERS:
                self._found.endpoint(KIND, "time", path, number, words[1])
            elif len(words) > 1 and words[0].lower() == "includefile" and self._may_include(path, number):
                self.ntp(words[1])

    def _text(self, path: str) -> str:
        """Return the text of a file, empty if it was read before or is not there."""
        try:
            real = self._found.engine.resolve(path)
        except TargetError:  # links in a circle, which the reader of the text tells
            real = path
        if real in self._seen:
            return ""
        self._seen.add(real)
        return self._found.text(KIND, path) or ""

    def _may_include(self, path: str, line: int) -> bool:
        self._includes += 1
        if self._includes == MAX_INCLUDES:
            reason = f"more than {MAX_INCLUDES} includes of time servers: the rest was not read"
            self._found.trouble(KIND, path, line, reason, refused=False)
        return self._includes < MAX_INCLUDES

    def _glob(self, pattern: str) -> list[str]:
        folder, _, name = pattern.rpartition("/")
        return [f"{folder}/{entry}" for entry in self._found.names(KIND, folder or "/") if name_matches(entry, name)]


def _timesyncd(found: Found) -> None:
    unit = "systemd-timesyncd.service"
    name = "timesyncd.conf"
    settings = read_settings(found, KIND, name)
    enabled = starts(found, unit)
    own = list_of(settings, "Time", "NTP") or []
    fallback = list_of(settings, "Time", "FallbackNTP")
    if not fallback:  # an empty list does not switch the compiled-in one off, other than resolved's
        fallback = compiled_in(found, KIND, name, "FallbackNTP", "time servers", unit)
    for host, path, line in (*own, *fallback):
        found.endpoint(KIND, "time", path, line, host, enabled=enabled)
