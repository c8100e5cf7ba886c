"""Time servers: chrony.conf(5), ntp.conf(5) and timesyncd.conf(5), the last with what is compiled into it."""

from typing import Final

from diskimage_validator.facts.formats.systemd_conf import list_of
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.sources.systemd import compiled_in, read_settings, starts
from diskimage_validator.globs import name_matches

KIND: Final = "ntp"
CHRONY: Final = ("/etc/chrony.conf", "/etc/chrony/chrony.conf")
NTP: Final = ("/etc/ntp.conf", "/etc/ntpsec/ntp.conf", "/etc/ntp/ntp.conf")
MAX_INCLUDES: Final = 10
_SERVERS: Final = ("server", "pool", "peer")


def read_ntp(found: Found) -> None:
    """Collect the time servers of chrony, ntpd and systemd-timesyncd."""
    for path in CHRONY:
        _chrony(found, path, 0)
    for path in NTP:
        _ntp(found, path, 0)
    _timesyncd(found)


def _chrony(found: Found, path: str, depth: int) -> None:
    text = found.text(KIND, path)
    for number, line in enumerate((text or "").split("\n"), start=1):
        words = line.split()
        if len(words) < 2 or words[0][0] in "!;#%":
            continue
        command, first = words[0].lower(), words[1]
        if command in _SERVERS:
            found.endpoint(KIND, "time", path, number, first)
        elif command == "include" and depth < MAX_INCLUDES:
            for name in _glob(found, first):
                _chrony(found, name, depth + 1)
        elif command in ("confdir", "sourcedir") and depth < MAX_INCLUDES:
            suffix = ".conf" if command == "confdir" else ".sources"
            folders: dict[str, str] = {}
            for folder in reversed(words[1:]):  # the same name in a folder that is named before counts
                folders |= {name: folder for name in found.names(KIND, folder) if name.endswith(suffix)}
            for name, folder in sorted(folders.items()):
                _chrony(found, f"{folder}/{name}", depth + 1)


def _glob(found: Found, pattern: str) -> list[str]:
    folder, _, name = pattern.rpartition("/")
    return [f"{folder}/{entry}" for entry in found.names(KIND, folder or "/") if name_matches(entry, name)]


def _ntp(found: Found, path: str, depth: int) -> None:
    for number, line in enumerate((found.text(KIND, path) or "").split("\n"), start=1):
        words = [word for word in line.partition("#")[0].split() if word not in ("-4", "-6")]
        if len(words) > 1 and words[0].lower() in _SERVERS:
            found.endpoint(KIND, "time", path, number, words[1])
        elif len(words) > 1 and words[0].lower() == "includefile" and depth < MAX_INCLUDES:
            _ntp(found, words[1], depth + 1)


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
