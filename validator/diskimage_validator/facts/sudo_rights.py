"""What sudo's rules mean for somebody: who may run every command as root, and who needs no password."""

from collections.abc import Iterable, Iterator
from typing import Final

from diskimage_validator.facts.accounts import User
from diskimage_validator.facts.sudo import Sudo
from diskimage_validator.facts.sudoers_text import Rule
from diskimage_validator.frozen import dataclass

MAX_NESTING: Final = 20
"""Aliases within aliases that are followed; one that contains itself ends here."""


@dataclass(frozen=True)
class Right:
    """The rule that lets somebody run every command as root, and whether that works without a password."""

    rule: Rule
    nopasswd: bool


@dataclass(frozen=True)
class Grant:
    """Somebody (a user, ``%group``, ``#uid`` or ``ALL``) to whom a line gives something without a password."""

    who: str
    path: str
    line: int


def root_right(sudo: Sudo, user: User) -> Right | None:
    """Return the right of ``user`` to run everything as root on any host: the last rule that matches counts."""
    found: Rule | None = None
    for rule in sudo.rules:
        if not _is_user(sudo, rule.users, user) or not _covers(sudo, "host", rule.hosts):
            continue
        if rule.runas is not None and not _covers(sudo, "runas", rule.runas, "root", "#0"):
            continue
        commands = _expand(sudo, "command", rule.commands)
        if "ALL" in commands:
            found = rule
        elif "!ALL" in commands:
            found = None
    if found is None:
        return None
    return Right(found, user.uid == 0 or bool(found.nopasswd) or _is_trusted(sudo, user))


def passwordless(sudo: Sudo) -> Iterator[Grant]:
    """Yield everybody to whom a NOPASSWD rule or ``Defaults !authenticate`` gives something, in order."""
    for rule in sudo.rules:
        if rule.nopasswd and rule.commands != ("!ALL",):
            for name in _expand(sudo, "user", rule.users):
                if not name.startswith("!"):
                    yield Grant(name, rule.path, rule.line)
    for default in sudo.defaults:
        if default.name == "authenticate" and default.negated:
            names = _expand(sudo, "user", default.names) if default.scope == ":" else ("ALL",)
            for name in names:
                if not name.startswith("!"):
                    yield Grant(name, default.path, default.line)


def _is_trusted(sudo: Sudo, user: User) -> bool:
    """Whether ``Defaults`` switches authentication off for ``user``; of several the last one counts."""
    trusted = False
    for default in sudo.defaults:
        if default.name == "authenticate" and (not default.scope or _is_user(sudo, default.names, user)):
            trusted = default.negated
    return trusted


def _is_user(sudo: Sudo, names: Iterable[str], user: User) -> bool:
    mine = {user.name, f"#{user.uid}", "ALL", *(f"%{group}" for group in user.groups), f"%#{user.gid}"}
    return _last(_expand(sudo, "user", names), mine)


def _covers(sudo: Sudo, kind: str, names: Iterable[str], *wanted: str) -> bool:
    return _last(_expand(sudo, kind, names), {"ALL", *wanted})


def _last(names: Iterable[str], wanted: set[str]) -> bool:
    """Whether a list matches: its last member that names one of ``wanted``, with or without ``!``, decides."""
    matched = False
    for name in names:
        if name.lstrip("!") in wanted:
            matched = not name.startswith("!")
    return matched


def _expand(sudo: Sudo, kind: str, names: Iterable[str], depth: int = 0) -> tuple[str, ...]:
    """Replace aliases by their members; a ``!`` in front of one turns them all."""
    found: list[str] = []
    for name in names:
        members = sudo.aliases.get(f"{kind}:{name.lstrip('!')}")
        if members is None or depth == MAX_NESTING:
            found.append(name)
            continue
        inner = dict.fromkeys(_expand(sudo, kind, members, depth + 1))
        found.extend(_turned(member) if name.startswith("!") else member for member in inner)
    return tuple(dict.fromkeys(found))


def _turned(name: str) -> str:
    return name.removeprefix("!") if name.startswith("!") else f"!{name}"
