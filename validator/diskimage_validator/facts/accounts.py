"""Users, groups and what their passwords are like: passwd(5), group(5), shadow(5), gshadow(5), subuid(5), crypt(5).

Of a password only its state and the name of its algorithm are kept, never the hash.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

READ_LIMIT: Final = 4 * 1024 * 1024
MAX_LINES: Final = 20_000
MAX_ID: Final = 2**32 - 1
_PREFIXES: Final = {
    "$1$": "md5",
    "$2": "bcrypt",
    "$3$": "nthash",
    "$5$": "sha256",
    "$6$": "sha512",
    "$7$": "scrypt",
    "$y$": "yescrypt",
    "$gy$": "gost-yescrypt",
    "$md5": "sunmd5",
    "$sha1": "sha1",
    "_": "bsdi-des",
}
Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class Password:
    """``state`` is ``locked`` (no password opens it), ``empty`` (none is needed) or ``hashed``.

    ``algorithm`` is known of hashes only, of those behind the ``!`` of a locked account too; ``unknown`` if it is.
    """

    state: str
    algorithm: str = ""
    path: str = ""
    line: int = 0


@dataclass(frozen=True)
class User:
    """A line of passwd, with the password that counts. ``groups``: names of all groups, the primary one first."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str
    groups: tuple[str, ...]
    password: Password
    line: int


@dataclass(frozen=True)
class Group:
    """A line of group. ``password`` is that of gshadow."""

    name: str
    gid: int
    members: tuple[str, ...]
    password: Password
    line: int


@dataclass(frozen=True)
class SubIds:
    """A line of subuid or subgid: ``count`` ids from ``start`` that ``owner`` may use in containers."""

    path: str
    owner: str
    start: int
    count: int


@dataclass(frozen=True)
class Malformed:
    """A line that means nothing."""

    path: str
    line: int
    reason: str


@dataclass(frozen=True)
class Accounts:
    """Everything about accounts, in the order of the files."""

    users: tuple[User, ...]
    groups: tuple[Group, ...]
    subids: tuple[SubIds, ...]
    malformed: tuple[Malformed, ...]

    def user(self, name: str) -> User | None:
        """Return the first user of that name, which is the one that counts."""
        return next((user for user in self.users if user.name == name), None)


def read_accounts(engine: Engine) -> Accounts:
    """Return the target's accounts.

    Raises FactError if passwd or group is not there or a file has too many lines.
    """
    malformed: list[Malformed] = []
    shadow = _passwords(engine, "/etc/shadow", malformed)
    gshadow = _passwords(engine, "/etc/gshadow", malformed)

    def group(fields: list[str], line: int) -> Group:
        password = _effective(fields[1], "/etc/group", line, gshadow.get(fields[0]))
        members = tuple(name for name in fields[3].split(",") if name)
        return Group(fields[0], _number(fields[2]), members, password, line)

    groups = tuple(_parse(engine, "/etc/group", (4, 4), group, malformed, needed=True))

    def user(fields: list[str], line: int) -> User:
        gid = _number(fields[3])
        primary = [one.name for one in groups if one.gid == gid]
        others = [one.name for one in groups if fields[0] in one.members and one.name not in primary]
        password = _effective(fields[1], "/etc/passwd", line, shadow.get(fields[0]))
        member_of = tuple(dict.fromkeys([*primary, *others]))
        return User(fields[0], _number(fields[2]), gid, fields[5], fields[6] or "/bin/sh", member_of, password, line)

    users = tuple(_parse(engine, "/etc/passwd", (7, 7), user, malformed, needed=True))
    subids = tuple(found for path in ("/etc/subuid", "/etc/subgid") for found in _subids(engine, path, malformed))
    return Accounts(users, groups, subids, tuple(malformed))


def read_password(field: str, path: str = "", line: int = 0) -> Password:
    """Return what the password field of shadow means: crypt(5) for what can be a hash, shadow(5) for the rest."""
    if not field:
        return Password("empty", "", path, line)
    text = field.lstrip("!")
    algorithm = _algorithm(text)
    state = "hashed" if algorithm and text == field else "locked"
    return Password(state, algorithm, path, line)


def _algorithm(text: str) -> str:
    for prefix, name in _PREFIXES.items():
        if text.startswith(prefix):
            return name
    if text.startswith("$"):
        return "unknown"
    return "des" if len(text) == 13 and all(char.isalnum() or char in "./" for char in text) else ""


def _effective(field: str, path: str, line: int, shadowed: Password | None) -> Password:
    """Return the password that counts: ``x`` in passwd and group points to the shadow file."""
    if field == "x":
        return shadowed or Password("locked", "", path, line)  # not in shadow: no password can match
    return read_password(field, path, line)


def _passwords(engine: Engine, path: str, malformed: list[Malformed]) -> dict[str, Password]:
    """Return the passwords in a shadow file by name; the first line of a name counts."""
    found: dict[str, Password] = {}

    def password(fields: list[str], line: int) -> tuple[str, Password]:
        return fields[0], read_password(fields[1], path, line)

    for name, one in _parse(engine, path, (4, 9), password, malformed):
        found.setdefault(name, one)
    return found


def _subids(engine: Engine, path: str, malformed: list[Malformed]) -> Iterator[SubIds]:
    def subids(fields: list[str], _: int) -> SubIds:
        return SubIds(path, fields[0], _number(fields[1]), _number(fields[2]))

    return _parse(engine, path, (3, 3), subids, malformed)


def _parse(
    engine: Engine,
    path: str,
    fields: tuple[int, int],
    make: Callable[[list[str], int], Parsed],
    malformed: list[Malformed],
    *,
    needed: bool = False,
) -> Iterator[Parsed]:
    """Yield what ``make`` makes of every line with a number of fields within the bounds; note down all others."""
    try:
        data = engine.read(path, limit=READ_LIMIT)
    except EntryNotFoundError as error:
        if needed:
            raise FactError(f"{path} is not there") from error
        return
    for number, line in enumerate(decode(data).split("\n"), 1):
        if number > MAX_LINES:
            raise FactError(f"{path}: more than {MAX_LINES} lines")
        if not line.strip() or line.startswith(("#", "+", "-")):  # the latter two: entries of NIS
            continue
        parts = line.split(":")
        try:
            if not fields[0] <= len(parts) <= fields[1] or not parts[0]:
                raise ValueError(f"{len(parts)} fields")
            yield make(parts, number)
        except ValueError as error:
            malformed.append(Malformed(path, number, str(error)))


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > MAX_ID:
        raise ValueError("an id that is no number")
    return int(text)
