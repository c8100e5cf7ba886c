"""dnf and yum: dnf.conf(5), repository files, variables. dnf 5 reads drop-ins of its main file besides."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.ini import parse_ini
from diskimage_validator.facts.sources.found import Found, is_false, is_true

KIND: Final = "dnf"
MAIN_FILES: Final = ("/etc/dnf/dnf.conf", "/etc/yum.conf")
MAIN_PARTS: Final = ("/usr/share/dnf5/libdnf.conf.d", "/etc/dnf/libdnf5.conf.d")
REPOSITORIES: Final = ("/etc/yum.repos.d", "/etc/yum/repos.d", "/etc/distro.repos.d", "/usr/share/dnf5/repos.d")
VARIABLES: Final = ("/etc/yum/vars", "/etc/dnf/vars", "/usr/share/dnf5/vars.d")
URLS: Final = {
    "baseurl": "packages",
    "mirrorlist": "packages",
    "metalink": "packages",
    "gpgkey": "key",
    "proxy": "proxy",
}
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_TLS: Final = {
    "sslverify": "any certificate of this repository's server is accepted",
    "proxy_sslverify": "any certificate of the proxy is accepted",
}
_CHECKS: Final = {"gpgcheck": ("gpgcheck", "pkg_gpgcheck"), "repo_gpgcheck": ("repo_gpgcheck",)}
_EFFECTS: Final = {
    "gpgcheck": ("packages", "set gpgcheck=1 and gpgkey"),
    "repo_gpgcheck": ("metadata", "have the repository's metadata signed and set repo_gpgcheck=1"),
}

Placed = tuple[str, Setting]
"""A setting and the path of its file."""


def read_dnf(found: Found) -> None:
    """Collect the repositories, proxies and switches of dnf and yum."""
    variables = _variables(found)
    main = [placed for placed in _main(found) if placed[1].section == "main"]
    for path, setting in main:
        if setting.key == "proxy" and setting.value.lower() not in ("", "_none_"):
            found.endpoint(KIND, "proxy", path, setting.line, expand(setting.value, variables))
        _tls(found, path, setting)
    defaults = {name: _last(main, *keys) for name, keys in _CHECKS.items()}
    for folder in REPOSITORIES:
        for path, text in found.folder(KIND, folder, ".repo"):
            settings = read_settings(found, KIND, path, text)
            for section in dict.fromkeys(setting.section for setting in settings):
                if section != "main":
                    own = [setting for setting in settings if setting.section == section]
                    _repository(found, path, own, defaults, variables)


def read_settings(found: Found, kind: str, path: str, text: str, *, strict: bool = True) -> list[Setting]:
    """Return the settings of a file; none if its own tool refuses it, which becomes a trouble."""
    try:
        return parse_ini(text, strict=strict)
    except Malformed as error:
        found.malformed(kind, path, error)
        return []


def expand(text: str, variables: dict[str, str]) -> str:
    """Replace ``$name`` and ``${name}``; what is not known stays."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], str(match[0])), text)


def urls(setting: Setting) -> Iterator[tuple[int, str]]:
    """Yield (line, URL) of a value that is a list: separated by blanks, commas or line feeds."""
    for offset, line in enumerate(setting.value.split("\n")):
        for word in re.split(r"[\s,]+", line):
            if word:
                yield setting.line + offset, word


def _variables(found: Found) -> dict[str, str]:
    variables = {}
    for folder in VARIABLES:
        for name in found.names(KIND, folder):
            text = found.text(KIND, f"{folder}/{name}")
            if text:
                variables[name] = text.split("\n")[0].strip()[:200]
    return variables


def _main(found: Found) -> Iterator[Placed]:
    files = list(found.folder(KIND, MAIN_PARTS[0], ".conf"))
    main = [(path, text) for path in MAIN_FILES if (text := found.text(KIND, path)) is not None]
    # /etc/yum.conf is a link to the other, or what yum left behind.
    files += main[:1]
    files += found.folder(KIND, MAIN_PARTS[1], ".conf")
    for path, text in files:
        yield from ((path, setting) for setting in read_settings(found, KIND, path, text))


def _last(settings: Iterable[Placed], *keys: str) -> Placed | None:
    return next((placed for placed in reversed(list(settings)) if placed[1].key in keys), None)


def _repository(
    found: Found,
    path: str,
    settings: list[Setting],
    defaults: Mapping[str, Placed | None],
    variables: dict[str, str],
) -> None:
    values = {setting.key: setting for setting in settings}
    enabled = "enabled" not in values or not is_false(values["enabled"].value)
    for key, purpose in URLS.items():
        if key in values and values[key].value.lower() != "_none_":
            for line, url in urls(values[key]):
                schemeless = "host" if purpose == "proxy" else "path"
                place = expand(url, variables)
                found.endpoint(KIND, purpose, path, line, place, enabled=enabled, schemeless=schemeless)
    if enabled:
        for setting in values.values():
            _tls(found, path, setting)
        for name in _CHECKS:
            _signature(found, path, settings, name, defaults[name])


def _signature(found: Found, path: str, settings: list[Setting], name: str, default: Placed | None) -> None:
    """Note that signatures are not checked: libdnf does it only where the repository or dnf.conf says so."""
    own = next((setting for setting in reversed(settings) if setting.key in _CHECKS[name]), None)
    setting = own or (default[1] if default else None)
    if setting is not None and is_true(setting.value):
        return
    value = "not set" if setting is None else setting.value
    if default and not own:
        value += f" in {default[0]}"
    section = settings[0].section
    line = own.line if own else settings[0].line
    effect, remedy = _EFFECTS[name]
    found.switch(KIND, path, line, name, value, f"{effect} of [{section}] need no signature", remedy)


def _tls(found: Found, path: str, setting: Setting) -> None:
    if setting.key in _TLS and is_false(setting.value):
        remedy = "add the mirror's CA to the system's trust store and remove the setting"
        found.switch(KIND, path, setting.line, setting.key, setting.value, _TLS[setting.key], remedy)
