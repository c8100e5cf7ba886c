"""zypper and libzypp: repositories, services and zypp.conf; zypper(8) "Repository Management", the file's comments."""

from typing import Final

from diskimage_validator.facts.sources.dnf import expand, read_settings, urls
from diskimage_validator.facts.sources.found import Found, is_false

KIND: Final = "zypper"
CONFIGURATION: Final = ("/usr/etc/zypp/zypp.conf", "/etc/zypp/zypp.conf")
REPOSITORIES: Final = "/etc/zypp/repos.d"
SERVICES: Final = "/etc/zypp/services.d"
VARIABLES: Final = "/etc/zypp/vars.d"
URLS: Final = {
    "baseurl": "packages",
    "mirrorlist": "packages",
    "metalink": "packages",
    "url": "packages",
    "gpgkey": "key",
}
_CHECKS: Final = {
    "gpgcheck": "neither repositories nor packages need a signature",
    "repo_gpgcheck": "repositories need no signature",
    "pkg_gpgcheck": "packages need no signature",
}
_TLS: Final = ("no", "host", "peer")
"""Values of ``ssl_verify`` that leave at least one of both checks out."""


def read_zypper(found: Found) -> None:
    """Collect the repositories, services and switches of zypper."""
    for path in CONFIGURATION:
        text = found.text(KIND, path)
        for setting in read_settings(found, KIND, path, text or "", strict=False):
            if setting.section == "main":
                _signature(found, path, setting.line, setting.key, setting.value)
    variables = {}
    for name in found.names(KIND, VARIABLES):
        text = found.text(KIND, f"{VARIABLES}/{name}")
        if text:
            variables[name] = text.split("\n")[0].strip()[:200]
    for folder, suffix in ((REPOSITORIES, ".repo"), (SERVICES, ".service")):
        for path, text in found.folder(KIND, folder, suffix):
            _read(found, path, text, variables)


def _read(found: Found, path: str, text: str, variables: dict[str, str]) -> None:
    settings = read_settings(found, KIND, path, text, strict=False)
    disabled = {setting.section for setting in settings if setting.key == "enabled" and is_false(setting.value)}
    for setting in settings:
        enabled = setting.section not in disabled
        for line, url in urls(setting) if setting.key in URLS else ():
            place = expand(url, variables)
            found.endpoint(KIND, URLS[setting.key], path, line, place, enabled=enabled, schemeless="path")
            if enabled:
                _parameters(found, path, line, place)
        if enabled:
            _signature(found, path, setting.line, setting.key, setting.value)


def _signature(found: Found, path: str, line: int, key: str, value: str) -> None:
    if key in _CHECKS and is_false(value):
        found.switch(KIND, path, line, key, value, _CHECKS[key], f"remove {key}, or set it to 1")


def _parameters(found: Found, path: str, line: int, url: str) -> None:
    """Read what libzypp takes from the query of a URL."""
    query = url.partition("?")[2].partition("#")[0]
    parameters = dict(part.partition("=")[::2] for part in query.split("&"))
    if parameters.get("ssl_verify", "").lower() in _TLS:
        effect = "the server's certificate is not verified"
        remedy = "add the mirror's CA to the system's trust store and remove the parameter"
        found.switch(KIND, path, line, "ssl_verify", parameters["ssl_verify"], effect, remedy)
    if proxy := parameters.get("proxy"):
        port = parameters.get("proxyport")
        found.endpoint(KIND, "proxy", path, line, f"{proxy}:{port}" if port else proxy)
