"""Passwords and tokens in configuration, recognised by the format of the file that holds them.

Every parser takes a file's content and yields what it found: a kind and a line, never a value. A value that refers to
another place (``$NAME``, ``/path``, ``{{ template }}``) is no secret; what stands in a comment is not read.

Formats: netrc(5), apt_auth.conf(5), containers-auth.json(5), npmrc(5), .pgpass of PostgreSQL's manual, RFC 3986
section 3.2.1.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

MAX_NAME: Final = 100
_WORDS: Final = (
    r"(?<!no)passw(?:or)?d|passphrase|secret|token|credentials?|private[_-]?key|access[_-]?key|api[_-]?key|client-key-data"
    r"|authident|[_-]auth|[_-]key|psk"
)
_WORD: Final = re.compile(_WORDS, re.IGNORECASE)
_PERHAPS: Final = re.compile(
    "passw|passphrase|psk|private|secret|token|credential|access|api|authident|-auth|_auth|-key|_key"
)
"""In every line of ASCII, in small letters, in which ``_WORD`` finds something. It is found ten times as fast."""
_ASSIGNMENT: Final = re.compile(
    rf"(?P<name>(?<![A-Za-z0-9_.-])[A-Za-z0-9_.-]{{0,80}}?(?:{_WORDS})(?P<rest>[A-Za-z0-9_-]{{0,40}}))"
    r"(?:[\"']?[ \t]{0,20}[=:][ \t]{0,20}|[\"'][ \t]{1,20})"
    r"(?P<value>\"[^\"\n]*\"?|'[^'\n]*'?|[^\s,;}\"']+)",
    re.IGNORECASE,
)
_HARMLESS: Final = re.compile(
    r"[_-]?(?:file|path|dir|ur[il]|host|port|type|ttl|expir|life|timeout|len|min|max|age|policy|hash|algo|method|command|cmd"
    r"|prompt|store|helper|name|id$|ids$|env|size|source|requir|auth|cache|callback|change|last|warn|quality|history|check)",
    re.IGNORECASE,
)
"""What may follow such a word when it is not the secret itself: PASSWORD_FILE, token_ttl."""
_NO_VALUE: Final = re.compile(
    r"(?:[$%/<~]|\{\{|file:|ssh-|\*{3,}$|x{3,}$|(?:true|false|yes|no|on|off|none|null|ask|0|1)$|$)", re.IGNORECASE
)
_URL: Final = re.compile(
    r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://(?P<user>[^\s/?#@:\"'<>]{0,200})(?::(?P<password>[^\s/?#@\"'<>]{0,500}))?@"
)
_TOKEN_LENGTH: Final = 20
"""A user name of this length in an https URL is a token: GitLab's, GitHub's and PyPI's are longer."""
_WEB: Final = ("http", "https")


@dataclass(frozen=True)
class Found:
    """What kind of secret is on which line (from 1, 0 if unknown)."""

    kind: str
    line: int


def assignments(data: bytes) -> Iterator[Found]:
    """Yield variables, options and keys whose name says that they are secret and that have a value of their own.

    Serves files of shell variables, INI, TOML, YAML and JSON alike.
    """
    for number, line in _lines(data, "#", ";"):
        # Two quick looks: the whole expression takes long to find nothing.
        if (line.isascii() and not _PERHAPS.search(line.lower())) or not _WORD.search(line):
            continue
        for match in _ASSIGNMENT.finditer(line):
            value = match["value"].strip("\"'")
            if not _NO_VALUE.match(value) and not _HARMLESS.match(match["rest"]):
                yield Found(f"value of {match['name'][:MAX_NAME]}", number)


def urls(data: bytes) -> Iterator[Found]:
    """Yield URLs with a password, and web URLs whose user name is as long as a token."""
    if b"://" not in data or b"@" not in data:  # as most files
        return
    for number, line in _lines(data, "#", ";", "//"):
        for match in _URL.finditer(line):
            scheme = match[0].partition(":")[0].lower()
            password, user = match["password"] or "", match["user"]
            if password and not _NO_VALUE.match(password):
                yield Found("password in a URL", number)
            elif scheme in _WEB and len(user) >= _TOKEN_LENGTH and not _NO_VALUE.match(user):
                yield Found("token in a URL", number)


def netrc(data: bytes) -> Iterator[Found]:
    """Yield the passwords of a file in the format of netrc, which is that of apt's auth.conf too."""
    before = ""
    for number, line in _lines(data, "#"):
        for word in line.split():
            if before in ("password", "passwd"):
                yield Found("password of a machine", number)
                before = ""
            else:
                before = word


def docker_auths(data: bytes) -> Iterator[Found]:
    """Yield the registries that a containers-auth.json(5) has a login for. Raises FactError if it is no JSON."""
    try:
        document = json.loads(decode(data))
    except (ValueError, RecursionError):
        raise FactError("it is no JSON") from None
    document = document if isinstance(document, dict) else {}
    registries = document.get("auths", document)  # .dockercfg has no "auths" around them
    for registry, login in registries.items() if isinstance(registries, dict) else ():
        if _has_login(login):
            name = registry[:MAX_NAME].encode("utf-8", "backslashreplace").decode()  # JSON may hold lone surrogates
            yield Found(f"login at {name}", _line_of(data, registry))


def pgpass(data: bytes) -> Iterator[Found]:
    """Yield the passwords of a .pgpass: the fifth field between colons."""
    for number, line in _lines(data, "#"):
        fields = re.sub(r"\\.", "", line).split(":")
        if len(fields) >= 5 and fields[4]:
            yield Found("password of a database", number)


def debconf(data: bytes) -> Iterator[Found]:
    """Yield the passwords that debconf was told while packages were configured."""
    for number, line in _lines(data):
        if line.startswith("Value:") and line[6:].strip():
            yield Found("password that debconf was told", number)


def anything(data: bytes) -> Iterator[Found]:
    """For files that are nothing but a secret."""
    if data.strip():
        yield Found("token", 0)


PARSERS: Final[dict[str, Callable[[bytes], Iterator[Found]]]] = {
    "assignments": assignments,
    "urls": urls,
    "netrc": netrc,
    "docker": docker_auths,
    "pgpass": pgpass,
    "debconf": debconf,
    "anything": anything,
}


def _lines(data: bytes, *comments: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line that does not start with one of ``comments``."""
    for number, line in enumerate(decode(data).split("\n"), start=1):
        if not comments or not line.lstrip().startswith(comments):
            yield number, line


def _has_login(login: Any) -> bool:
    names = ("auth", "password", "identitytoken", "registrytoken")
    return isinstance(login, dict) and any(isinstance(login.get(name), str) and login[name] for name in names)


def _line_of(data: bytes, key: str) -> int:
    position = data.find(json.dumps(key, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    return data.count(b"\n", 0, position) + 1 if position >= 0 else 0
