"""git: the system's and users' configuration, git-config(1): what ``insteadOf`` leads to, remotes, proxies, TLS."""

from typing import Final

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.git_config import parse_git_config
from diskimage_validator.facts.sources.found import Found

KIND: Final = "git"
SYSTEM: Final = "/etc/gitconfig"
USER: Final = (".gitconfig", ".config/git/config")
MAX_INCLUDES: Final = 10
_FALSE: Final = ("false", "no", "off", "0", "")


def read_git(found: Found) -> None:
    """Collect the places that git is sent to, and its switches."""
    _read(found, SYSTEM, "/root", 0)
    for home in found.homes():
        for name in USER:
            _read(found, f"{home}/{name}", home, 0)


def _read(found: Found, path: str, home: str, depth: int) -> None:
    text = found.text(KIND, path)
    if text is None:
        return
    try:
        settings = parse_git_config(text)
    except Malformed as error:
        found.malformed(KIND, path, error)
        return
    for setting in settings:
        if setting.section.partition(".")[0] in ("include", "includeif") and setting.key == "path":
            if depth < MAX_INCLUDES and setting.value:
                _read(found, _included(setting.value, path, home), home, depth + 1)
        else:
            _note(found, path, setting)


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
        name = f"{setting.section}.{setting.key}"
        effect = "any certificate of the server is accepted"
        remedy = "let git trust the server's CA (the system's trust store, http.sslCAInfo) and remove the setting"
        found.switch(KIND, path, setting.line, name, setting.value, effect, remedy)
