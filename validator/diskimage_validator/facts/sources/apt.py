"""apt: sources.list(5) in both forms, apt.conf(5), apt-transport-https(1), apt-transport-mirror(1)."""

import re
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.formats.apt_conf import AptConfig, read_apt_conf, split_words
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.deb822 import Field, Paragraph, parse_deb822
from diskimage_validator.facts.sources.found import Found, is_false, is_true

KIND: Final = "apt"
_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
"""What apt takes for one of its files; a hidden one is none."""
_TYPES: Final = ("deb", "deb-src")
_PROXY: Final = re.compile(r"acquire::(?:ftp|http|https)(?:::[^:]+)*?::proxy(?:::.+)?")
_PEER: Final = re.compile(r"acquire::.+::verify-(peer|host)(?:::.+)?")
_LAX: Final = {
    "apt::get::allowunauthenticated": "packages without a signature are installed",
    "acquire::allowinsecurerepositories": "repositories without a signature are used",
    "acquire::allowweakrepositories": "repositories with a signature that can be forged are used",
    "acquire::allowdowngradetoinsecurerepositories": "a repository may lose its signature",
}
_OPTIONS: Final = {
    "trusted": "the packages of this source count as authenticated without a signature",
    "allow-insecure": "this source is used without a signature",
    "allow-weak": "this source is used with a signature that can be forged",
    "allow-downgrade-to-insecure": "this source may lose its signature",
}
_SIGN: Final = "sign the repository and name its key with Signed-By"


def read_apt(found: Found) -> None:
    """Collect the sources, proxies and switches of apt."""
    config = _configuration(found)
    for name, item in config.items.items():
        key = re.sub(r"^binary::[^:]+::", "", name)
        if _PROXY.fullmatch(key) and item.value.upper() not in ("", "DIRECT", "FALSE"):
            found.endpoint(KIND, "proxy", item.path, item.line, item.value)
        elif (peer := _PEER.fullmatch(key)) and is_false(item.value):
            effect = "any certificate is accepted" if peer[1] == "peer" else "a certificate for any name is accepted"
            remedy = "add the mirror's CA to the system's trust store and remove the setting"
            found.switch(KIND, item.path, item.line, item.name, item.value, effect, remedy)
        elif key in _LAX and is_true(item.value):
            found.switch(KIND, item.path, item.line, item.name, item.value, _LAX[key], _SIGN)
    sources, parts = _places(config)
    text = found.text(KIND, sources)
    if text is not None:
        _read(found, sources, text)
    for name in found.names(KIND, parts):
        if _NAME.fullmatch(name) and name.endswith((".list", ".sources")):
            text = found.text(KIND, f"{parts}/{name}")
            if text is not None:
                _read(found, f"{parts}/{name}", text)


def _places(config: AptConfig) -> tuple[str, str]:
    """Return where sources.list and sources.list.d are."""
    etc = config.text("Dir::Etc", "etc/apt")
    places = []
    for name, default in (("sourcelist", "sources.list"), ("sourceparts", "sources.list.d")):
        place = config.text(f"Dir::Etc::{name}", default)
        place = place if place.startswith("/") else f"{etc}/{place}"
        places.append("/" + place.strip("/"))
    return places[0], places[1]


def _configuration(found: Found) -> AptConfig:
    """Return what all files of apt.conf say; one that apt refuses becomes a trouble."""
    config = AptConfig()

    def include(place: str) -> Iterator[tuple[str, str]]:
        names = [f"{place}{name}" for name in found.names(KIND, place)] if place.endswith("/") else [place]
        for path in names:
            if path.startswith("/") and (text := found.text(KIND, path)) is not None:
                yield path, text

    folder = "/etc/apt/apt.conf.d"
    names = [name for name in found.names(KIND, folder) if _NAME.fullmatch(name)]
    parts = [f"{folder}/{name}" for name in names if "." not in name or name.endswith(".conf")]
    for path in (*parts, "/etc/apt/apt.conf"):
        text = found.text(KIND, path)
        try:
            if text is not None:
                read_apt_conf(config, path, text, include)
        except Malformed as error:
            found.malformed(KIND, path, error)
    return config


def _read(found: Found, path: str, text: str) -> None:
    try:
        if path.endswith(".sources"):
            for paragraph in parse_deb822(text):
                _read_paragraph(found, path, paragraph)
        else:
            for number, line in enumerate(text.split("\n"), start=1):
                _read_line(found, path, number, line)
    except Malformed as error:
        found.malformed(KIND, path, error)


def _read_line(found: Found, path: str, number: int, line: str) -> None:
    """Read one line of a sources.list, ``deb [option=value ...] URI suite [component ...]``."""
    line = line.partition("#")[0].strip()
    if not line:
        return
    options = {}
    match = re.fullmatch(r"(\S+)\s+\[([^\]]*)\]\s*(.*)", line)
    if match:
        options = _options(match[2], number)
        line = f"{match[1]} {match[3]}"
    words = split_words(line)
    if not words or len(words) < 3 or words[0] not in _TYPES:
        raise Malformed(number, "no line of the form 'deb URI suite component'")
    _mirror(found, path, number, words[1], enabled=True)
    for name, value in options.items():
        _option(found, path, number, f"{name}={value}", name, value)


def _options(text: str, number: int) -> dict[str, str]:
    found = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals:
            raise Malformed(number, "an option without a value")
        found[name.rstrip("+-").lower()] = value
    return found


def _read_paragraph(found: Found, path: str, paragraph: Paragraph) -> None:
    enabled = not is_false(paragraph["enabled"].value) if "enabled" in paragraph else True
    uris = paragraph.get("uris") or paragraph.get("uri")
    first = min(field.line for field in paragraph.values())
    if "types" not in paragraph or uris is None or not uris.value:
        raise Malformed(first, "a source without Types or URIs")
    for number, uri in _words(uris):
        _mirror(found, path, number, uri, enabled=enabled)
    for name in _OPTIONS:
        if enabled and name in paragraph:
            _option(found, path, paragraph[name].line, name.title(), name, paragraph[name].value)


def _words(field: Field) -> Iterator[tuple[int, str]]:
    for offset, line in enumerate(field.value.split("\n")):
        for word in line.split():
            yield field.line + offset, word


def _option(found: Found, path: str, number: int, setting: str, name: str, value: str) -> None:
    if name in _OPTIONS and is_true(value):
        found.switch(KIND, path, number, setting, value, _OPTIONS[name], _SIGN)


def _mirror(found: Found, path: str, number: int, uri: str, *, enabled: bool) -> None:
    """Note a source's URI; a local list of mirrors is followed, as apt's method ``mirror+file`` does."""
    found.endpoint(KIND, "packages", path, number, uri, enabled=enabled, schemeless="path")
    if uri.lower().startswith("mirror+file:"):
        listing = "/" + uri.partition(":")[2].lstrip("/")
        for index, line in enumerate((found.text(KIND, listing) or "").split("\n"), start=1):
            words = line.partition("#")[0].split()
            if words:
                found.endpoint(KIND, "packages", listing, index, words[0], enabled=enabled, schemeless="path")
