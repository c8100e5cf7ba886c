"""Variables that every session has: environment(5) of pam_env, ``/etc/sysconfig/proxy`` of SUSE, systemd's defaults.

They send tools to proxies and indexes, and some of them switch verification off.
"""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.formats.systemd_conf import parse_systemd_conf
from diskimage_validator.facts.sources.found import Found, is_false, is_true
from diskimage_validator.facts.sources.npm import note_npm_option
from diskimage_validator.facts.sources.pip import note_pip_option

KIND: Final = "environment"
FILES: Final = ("/etc/environment", "/etc/sysconfig/proxy", "/etc/default/docker", "/etc/sysconfig/docker")
FOLDER: Final = "/etc/environment.d"
UNITS: Final = "/etc/systemd/system"
_PROXY: Final = re.compile(r"(?i)(?:http|https|ftp|all|socks|socks5|gopher)_(?:proxy|server)")
_ASSIGNMENT: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_SWITCHES: Final = {
    "GIT_SSL_NO_VERIFY": (is_true, "git accepts any certificate"),
    "NODE_TLS_REJECT_UNAUTHORIZED": (is_false, "Node.js accepts any certificate"),
    "PYTHONHTTPSVERIFY": (is_false, "Python accepts any certificate"),
    "CURL_INSECURE": (is_true, "curl accepts any certificate"),
}
_REMEDY: Final = "let the tools trust the internal CA and remove the variable"


def read_environment(found: Found) -> None:
    """Collect proxies, indexes and switches from variables."""
    for path in FILES:
        _read(found, path, found.text(KIND, path) or "")
    for path, text in found.folder(KIND, FOLDER, ".conf"):
        _read(found, path, text)
    for path, text in _systemd(found):
        for setting in parse_systemd_conf(text):
            if setting.key in ("Environment", "DefaultEnvironment"):
                for word in _words(setting.value):
                    name, equals, value = word.partition("=")
                    if equals:
                        _note(found, path, setting.line, name, value)


def _systemd(found: Found) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of the manager's configuration and of the drop-ins of units."""
    for name in ("system.conf", "user.conf"):
        text = found.text(KIND, f"/etc/systemd/{name}")
        if text is not None:
            yield f"/etc/systemd/{name}", text
        yield from found.folder(KIND, f"/etc/systemd/{name}.d", ".conf")
    for name in found.names(KIND, UNITS):
        if name.endswith(".service.d"):
            yield from found.folder(KIND, f"{UNITS}/{name}", ".conf")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that is not closed
        return text.split()


def _read(found: Found, path: str, text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        match = _ASSIGNMENT.match(line)
        if match:
            value = match[2].strip()
            quote = value[:1]
            value = value[1:].partition(quote)[0] if quote in ("'", '"') and quote else value.split("#")[0].strip()
            _note(found, path, number, match[1], value)


def _note(found: Found, path: str, line: int, name: str, value: str) -> None:
    upper = name.upper()
    if not value:
        return
    if _PROXY.fullmatch(name):
        found.endpoint(KIND, "proxy", path, line, value)
    elif upper.startswith("PIP_"):
        words = [(line, word) for word in value.split()]
        note_pip_option(found, path, upper.removeprefix("PIP_").lower().replace("_", "-"), words)
    elif upper.startswith("NPM_CONFIG_"):
        note_npm_option(found, path, line, upper.removeprefix("NPM_CONFIG_").lower().replace("_", "-"), value)
    elif upper in ("UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL"):
        for word in value.split():
            found.endpoint(KIND, "packages", path, line, word)
    elif upper in _SWITCHES and _SWITCHES[upper][0](value):
        found.switch(KIND, path, line, name, value, _SWITCHES[upper][1], _REMEDY)
