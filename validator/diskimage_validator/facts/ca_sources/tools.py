"""Configuration files of tools that speak TLS: git, curl, wget, pip, npm and conda.

pip's ``trusted-host``, npm's ``strict-ssl`` and the package managers' own switches are read elsewhere, see
``facts/endpoints.py``.
"""

import re
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.ca_sources.noted import Noted, unquoted
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.python_ini import parse_python_ini
from diskimage_validator.facts.sources.found import Found, is_false
from diskimage_validator.facts.sources.git import git_settings
from diskimage_validator.facts.sources.npm import BUILT_IN
from diskimage_validator.facts.sources.npm import SYSTEM as NPM_SYSTEM
from diskimage_validator.facts.sources.pip import SYSTEM as PIP_SYSTEM
from diskimage_validator.facts.sources.pip import USER as PIP_USER
from diskimage_validator.facts.sources.urls import locate
from diskimage_validator.policy_lines import DocumentError, parse_document

CURL: Final = (".curlrc", ".config/curlrc")
"""Below a home; curl(1), ``--config``. There is no file for all users."""
WGET: Final = ("/etc/wgetrc", "/usr/local/etc/wgetrc", "/etc/wget2rc")
WGET_USER: Final = (".wgetrc", ".wget2rc", ".config/wget/wget2rc")
CONDA: Final = ("/etc/conda/.condarc", "/etc/conda/condarc", "/opt/conda/.condarc")
CONDA_USER: Final = (".condarc", ".conda/.condarc", ".config/conda/.condarc")
_CURL_OFF: Final = ("insecure", "proxy-insecure", "doh-insecure")
_CURL_FLAGS: Final = frozenset("0123456789afgijklnpqsvBGIJLMNORSVZ#")
"""Options of one letter that take no argument; several may share one hyphen."""
_GIT_FALSE: Final = ("false", "no", "off", "0", "")
_ANY: Final = "any certificate of the server is accepted"


def read_tools(noted: Noted) -> None:
    """Note what the tools' files say of CAs."""
    for read in (_git, _curl, _wget, _pip, _npm, _conda):
        read(noted)


def _git(noted: Noted) -> None:
    """git-config(1), ``http.*`` and ``http.<url>.*``."""
    for path, home, setting in git_settings(noted.found):
        section, dot, url = setting.section.partition(".")
        if section != "http":
            continue
        name = f"{section}{dot}{locate(url).shown if url else ''}.{setting.key}"  # the URL may have a password
        if setting.key == "sslverify" and setting.value.lower() in _GIT_FALSE:
            noted.off("git", name, path, setting.line, _ANY)
        elif setting.key in ("sslcainfo", "sslcapath", "proxysslcainfo") and setting.value:
            noted.points("git", name, path, setting.line, setting.value, home=home)


def _curl(noted: Noted) -> None:
    for path, _, number, line in _lines(noted.found, "curl", (), CURL):
        match = re.match(r"(-{0,2})([^\s=:]+)[\s=:]*(.*)", line)
        if not match:
            continue
        hyphens, name, value = match[1], match[2], unquoted(match[3])
        flags = hyphens == "-" and set(name) <= _CURL_FLAGS and "k" in name
        if name in _CURL_OFF or flags:
            noted.off("curl", "insecure" if flags else name, path, number, _ANY)
        elif name in ("cacert", "capath") and value:
            noted.points("curl", name, path, number, value)


def _wget(noted: Noted) -> None:
    """wget(1), "Wgetrc Syntax": names have no case, hyphens and underscores in them mean nothing."""
    for path, home, number, line in _lines(noted.found, "wget", WGET, WGET_USER):
        name, equals, value = line.partition("=")
        name, value = re.sub(r"[-_\s]", "", name).lower(), unquoted(value)
        if equals and name == "checkcertificate" and (is_false(value) or value.lower() in ("never", "quiet")):
            noted.off("wget", "check_certificate", path, number, _ANY)
        elif equals and value and name in ("cacertificate", "cadirectory"):
            spelled = {"cacertificate": "ca_certificate", "cadirectory": "ca_directory"}[name]
            noted.points("wget", spelled, path, number, value, home=home)


def _pip(noted: Noted) -> None:
    for path, home in _paths(noted.found, PIP_SYSTEM, PIP_USER):
        text = noted.found.text("pip", path)
        try:
            settings = parse_python_ini(text or "")
        except Malformed as error:
            noted.found.malformed("pip", path, error)
            continue
        for setting in settings:
            if setting.key == "cert" and setting.value:
                noted.points("pip", "cert", path, setting.line, setting.value.strip(), home=home)


def _npm(noted: Noted) -> None:
    for path, home, number, line in _lines(noted.found, "npm", (*BUILT_IN, *NPM_SYSTEM), (".npmrc",)):
        name, equals, value = line.partition("=")
        if equals and unquoted(name) == "cafile" and unquoted(value) not in ("", "null"):
            noted.points("npm", "cafile", path, number, unquoted(value), home=home)


def _conda(noted: Noted) -> None:
    """Conda's ``ssl_verify`` is true, false, ``truststore`` or a path."""
    for path, home in _paths(noted.found, CONDA, CONDA_USER):
        text = noted.found.text("conda", path)
        if text is None or not text.strip():
            continue
        try:
            document = parse_document(text)
        except DocumentError as error:
            noted.found.trouble("conda", path, error.problems[0].line, error.problems[0].message, refused=True)
            continue
        value = document.data.get("ssl_verify") if isinstance(document.data, dict) else None
        if value is False or (isinstance(value, str) and is_false(value)):
            noted.off("conda", "ssl_verify", path, document.line(("ssl_verify",)), _ANY)
        elif isinstance(value, str) and "/" in value:
            noted.points("conda", "ssl_verify", path, document.line(("ssl_verify",)), value, home=home)


def _paths(found: Found, system: tuple[str, ...], user: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return (path, home) of the files for all and of those below a home."""
    return [*((path, "") for path in system), *((f"{home}/{name}", home) for home in found.homes() for name in user)]


def _lines(
    found: Found, kind: str, system: tuple[str, ...], user: tuple[str, ...]
) -> Iterator[tuple[str, str, int, str]]:
    """Yield (path, home, number, line) of lines that are not empty and no comment."""
    for path, home in _paths(found, system, user):
        for number, line in enumerate((found.text(kind, path) or "").split("\n"), start=1):
            if line.strip() and line.strip()[0] not in "#;":
                yield path, home, number, line.strip()
