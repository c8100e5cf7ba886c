"""git: the system's and users' configuration, git-config(1): what ``insteadOf`` leads to, remotes, proxies, TLS."""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.git_config import parse_git_config
from diskimage_validator.facts.sources.found import MAX_FILES, Found
from diskimage_validator.facts.sources.urls import locate

KIND: Final = "git"
SYSTEM: Final = "/etc/gitconfig"
USER: Final = (".gitconfig", ".config/git/config")
_FALSE: Final = ("false", "no", "off", "0", "")


def read_git(found: Found) -> None:
    """Collect the places that git is sent to, and its switches."""
    for path, _, setting in git_settings(found):
        _note(found, path, setting)


def git_settings(found: Found) -> Iterator[tuple[str, str, Setting]]:
    """Yield (path, home, setting) of every configuration file; the system's counts as root's.

    A file that is included is read once, where it is first named: files that include each other end.
    """
    pending = [(SYSTEM, "/root"), *((f"{home}/{name}", home) for home in found.homes() for name in USER)]
    named = {path for path, _ in pending}
    while pending:
        path, home = pending.pop(0)
        try:
            settings = parse_git_config(found.text(KIND, path) or "")
        except Malformed as error:
            found.malformed(KIND, path, error)
            continue
        for setting in settings:
            if setting.section.partition(".")[0] not in ("include", "includeif") or setting.key != "path":
                yield path, home, setting
            elif setting.value and len(named) < MAX_FILES:
                included = _included(setting.value, path, home)
                if included not in named:
                    named.add(included)
                    pending.append((included, home))


def _included(value: str, path: str, home: str) -> str:
    if value.startswith("~/"):
        return f"{home}/{value[2:]}"
    return value if value.startswith("/") else f"{path.rpartition('/')[0]}/{value}"


def _note(found: Found, path: str, setting: Setting) -> None:
    family, _, subject = setting.section.partition(".")
    if family == "url" and setting.key in ("insteadof", "pushinsteadof"):
        found.endpoint(KIND, "code", path, setting.line, subject)
    elif family == "remote" and setting.key in ("url", "pushurl"):
        found.endpoint(KIND, "code", path, setting.line, setting.value)
    elif (family in ("http", "https", "remote") and setting.key == "proxy") and setting.value:
        found.endpoint(KIND, "proxy", path, setting.line, setting.value)
    elif family == "http" and setting.key in ("sslverify", "proxysslverify") and setting.value.lower() in _FALSE:
        name = f"{family}.{locate(subject).shown}.{setting.key}" if subject else f"{family}.{setting.key}"
        effect = "any certificate of the server is accepted"
        remedy = "let git trust the server's CA (the system's trust store, http.sslCAInfo) and remove the setting"
        found.switch(KIND, path, setting.line, name, setting.value, effect, remedy)
