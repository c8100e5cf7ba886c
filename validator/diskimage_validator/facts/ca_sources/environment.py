"""Where variables are set: for sessions by PAM and by shells, for services by systemd, for jobs by cron.

environment(5), pam_env.conf(5), environment.d(5), bash(1) "INVOCATION", zsh(1), systemd-system.conf(5),
systemd.exec(5), crontab(5).
"""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.ca_sources.noted import Noted
from diskimage_validator.facts.ca_sources.variables import KIND, is_about_cas, note_variable
from diskimage_validator.facts.formats.base import Setting
from diskimage_validator.facts.formats.shell import MAX_ASSIGNMENTS, assignments
from diskimage_validator.facts.formats.systemd_conf import ROOTS, parse_systemd_conf
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.sources.systemd import read_settings
from diskimage_validator.globs import name_matches

FILES: Final = (
    "/etc/environment",
    "/etc/profile",
    "/etc/bash.bashrc",
    "/etc/bashrc",
    "/etc/zshenv",
    "/etc/zprofile",
    "/etc/zshrc",
    "/etc/zsh/zshenv",
    "/etc/zsh/zprofile",
    "/etc/zsh/zshrc",
    "/etc/csh.cshrc",
    "/etc/csh.login",
    "/etc/crontab",
)
FOLDERS: Final = (
    ("/etc/environment.d", ".conf"),
    ("/usr/local/lib/environment.d", ".conf"),
    ("/usr/lib/environment.d", ".conf"),
    ("/etc/profile.d", ""),
    ("/etc/default", ""),
    ("/etc/sysconfig", ""),
    ("/etc/cron.d", ""),
    ("/var/spool/cron/crontabs", ""),
    ("/var/spool/cron", ""),
)
HOME_FILES: Final = (
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".pam_environment",
    ".ssh/environment",
)
PAM_ENV: Final = "/etc/security/pam_env.conf"
UNIT_FOLDERS: Final = ("system", "user")
MANAGERS: Final = ("system.conf", "user.conf")
_PAM_ENV: Final = re.compile(r'([A-Za-z_]\w*)\b(?:.*\s)(?:DEFAULT|OVERRIDE)=("[^"]*"|\S*)', re.ASCII)
_SERVICES: Final = (".service", ".socket", ".mount", ".swap")


def read_environment(noted: Noted) -> None:
    """Note the variables that are about CAs, wherever they are set."""
    found, scripts = noted.found, Scripts(noted)
    for path in FILES:
        scripts.read(path)
    for folder, suffix in FOLDERS:
        for name in found.names(KIND, folder):
            if name.endswith(suffix):
                scripts.read(f"{folder}/{name}")
    for home in found.homes():
        folder = f"{home}/.config/environment.d"
        for name in (*HOME_FILES, *(f"{folder}/{entry}" for entry in found.names(KIND, folder))):
            scripts.read(name if name.startswith("/") else f"{home}/{name}", home)
    for number, line in enumerate((found.text(KIND, PAM_ENV) or "").split("\n"), start=1):
        match = _PAM_ENV.match(line)
        if match:
            note_variable(noted, PAM_ENV, number, match[1], match[2].strip('"'), computed="{" in match[2])
    _systemd(noted, scripts)


class Scripts:
    """Reads each file with assignments once: Debian links ``/usr/lib/environment.d`` to ``/etc/environment``."""

    def __init__(self, noted: Noted) -> None:
        self._noted = noted
        self._seen: set[str] = set()

    def read(self, path: str, home: str = "") -> None:
        """Note what the file at ``path`` assigns. A file that cannot be read becomes a trouble."""
        try:
            real = self._noted.found.engine.resolve(path)
        except ValidatorError:  # links without end; reading it says so
            real = path
        if real in self._seen:
            return
        self._seen.add(real)
        found = list(assignments(self._noted.found.text(KIND, path) or "", is_about_cas))
        if len(found) == MAX_ASSIGNMENTS:
            self._noted.found.trouble(KIND, path, 0, f"more than {MAX_ASSIGNMENTS - 1} such variables", refused=False)
        for made in found:
            note_variable(self._noted, path, made.line, made.name, made.value, home=home, computed=made.computed)


def _systemd(noted: Noted, scripts: Scripts) -> None:
    found = noted.found
    for name in MANAGERS:
        for path, setting in read_settings(found, KIND, name):
            if setting.key in ("DefaultEnvironment", "ManagerEnvironment"):
                _words(noted, path, setting)
    for path, text in _units(found):
        for setting in parse_systemd_conf(text):
            if setting.key == "Environment":
                _words(noted, path, setting)
            elif setting.key == "EnvironmentFile":
                for named in _named(found, setting.value.removeprefix("-")):
                    scripts.read(named)


def _words(noted: Noted, path: str, setting: Setting) -> None:
    try:
        words = shlex.split(setting.value)
    except ValueError:  # a quote that is not closed
        words = setting.value.split()
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            note_variable(noted, path, setting.line, name, value, computed="%" in value)


def _named(found: Found, pattern: str) -> list[str]:
    """Return the files that an EnvironmentFile= means; wildcards are for the last part only."""
    folder, _, name = pattern.rpartition("/")
    if not re.search(r"[*?\[]", name):
        return [pattern]
    return [f"{folder}/{entry}" for entry in found.names(KIND, folder) if name_matches(entry, name)]


def _units(found: Found) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of units and their drop-ins; of two with one name, that of the folder named first counts."""
    for kind in UNIT_FOLDERS:
        paths: dict[str, str] = {}
        for root in ROOTS:
            folder = f"{root}/systemd/{kind}"
            for name in found.names(KIND, folder):
                if name.endswith(_SERVICES):
                    paths.setdefault(name, f"{folder}/{name}")
                elif name.endswith(".d"):
                    for drop_in in found.names(KIND, f"{folder}/{name}"):
                        if drop_in.endswith(".conf"):
                            paths.setdefault(f"{name}/{drop_in}", f"{folder}/{name}/{drop_in}")
        for path in paths.values():
            text = found.text(KIND, path)
            if text is not None:
                yield path, text
