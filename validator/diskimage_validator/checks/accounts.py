"""The right users are there, nobody else is root, and no password opens an account.

``required`` users have to be there, with the ``uid``, ``groups``, ``shell`` and ``home`` that the policy gives;
``forbidden`` are patterns of names that must not be there. ``passwords: locked`` wants no password that anybody could
know: node images are entered with keys.

``consistent: true`` wants what every system should be: only root is uid 0; no name and no id is there twice; every
user's group exists; no line is damaged; no password is empty; no hash is of a kind that can be computed back today
(DES, MD5, SHA-1, NT). Hashes behind the ``!`` of a locked account count too, because ``passwd -u`` brings them back.
Ranges of subuid and subgid must not overlap.

Reports never contain a hash, only the name of its algorithm.

.. rubric:: Example

With this policy::

    access:
      accounts:
        required: [{name: zuul, shell: /bin/bash}]
        forbidden: [debian, ubuntu]
        passwords: locked
        consistent: true

an image passes with ``zuul:!:`` in ``/etc/shadow``.

An image fails with a second user of uid 0, with ``zuul::`` in ``/etc/shadow``, or with a root password that was set for
debugging.
"""

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import pairwise
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.accounts import Accounts, User
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.access import AccountRules, RequiredUser

ID: Final = "accounts"
TITLE: Final = "Accounts"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("accounts",)

WEAK: Final = frozenset({"des", "bsdi-des", "md5", "sunmd5", "sha1", "nthash", "unknown"})
_PASSWD: Final = "/etc/passwd"  # noqa: S105 - a file


def asked(policy: Policy) -> bool:
    """Whether the policy asks about accounts."""
    return policy.rules.access.accounts != AccountRules()


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding per required user and per fault, and a summarising one for what is in order."""
    rules, accounts = question.rules.access.accounts, known(question.facts.accounts)
    for wanted in rules.required:
        yield _check_required(wanted, accounts)
    yield from _summarised("forbidden users", _forbidden(rules, accounts), rules.forbidden, "none of them is there")
    if rules.passwords:
        yield from _summarised("passwords", _passwords(accounts), ["locked"], "no password opens an account")
    if rules.consistent:
        yield from _summarised("consistency", _inconsistent(accounts), ["yes"], _counted(accounts))


def _summarised(subject: str, faults: Iterator[Finding], asked_for: list[str], message: str) -> Iterator[Finding]:
    """Yield the faults, or one finding that there is none, if it was asked for at all."""
    found = list(faults)
    yield from found
    if not found and asked_for:
        yield Finding(subject, Status.PASS, message, ", ".join(asked_for))


def _counted(accounts: Accounts) -> str:
    return f"users: {len(accounts.users)}, groups: {len(accounts.groups)}"


def _check_required(wanted: RequiredUser, accounts: Accounts) -> Finding:
    asked_for = {"uid": wanted.uid, "shell": wanted.shell, "home": wanted.home}
    expected = ", ".join(f"{key} {value}" for key, value in asked_for.items() if value is not None)
    expected = ", ".join(part for part in (expected, *(f"in {group}" for group in wanted.groups)) if part) or "there"
    user = accounts.user(wanted.name)
    if user is None:
        return Finding(wanted.name, Status.FAIL, "there is no such user", expected, "none", "create the user", _PASSWD)
    differs = [
        f"{key} is {getattr(user, key)}, not {value}"
        for key, value in asked_for.items()
        if value is not None and getattr(user, key) != value
    ]
    differs += [f"it is not in the group {group}" for group in wanted.groups if group not in user.groups]
    actual = f"uid {user.uid}, shell {user.shell}, home {user.home}, groups {' '.join(user.groups)}"
    status = Status.FAIL if differs else Status.PASS
    message = "; ".join(differs) or "the user is as asked for"
    hint = f"usermod {wanted.name}" if differs else ""
    return Finding(wanted.name, status, message, expected, actual, hint, _PASSWD, user.line)


def _forbidden(rules: AccountRules, accounts: Accounts) -> Iterator[Finding]:
    for user in accounts.users:
        pattern = next((pattern for pattern in rules.forbidden if fnmatchcase(user.name, pattern)), None)
        if pattern:
            hint = f"userdel --remove {user.name}"
            yield _fault(user, f"the policy does not want a user {pattern}", f"no user {pattern}", "there", hint)


def _passwords(accounts: Accounts) -> Iterator[Finding]:
    for user in accounts.users:
        if user.password.state != "locked":
            yield _password_fault(user, f"the account can be opened with a password ({_described(user)})", "locked")


def _described(user: User) -> str:
    password = user.password
    return "empty" if password.state == "empty" else f"{password.algorithm} hash"


def _password_fault(user: User, message: str, expected: str) -> Finding:
    password = user.password
    hint = f"passwd --lock {user.name}"
    return Finding(user.name, Status.FAIL, message, expected, _described(user), hint, password.path, password.line)


def _fault(user: User, message: str, expected: str, actual: str, hint: str = "") -> Finding:
    return Finding(user.name, Status.FAIL, message, expected, actual, hint, _PASSWD, user.line)


def _inconsistent(accounts: Accounts) -> Iterator[Finding]:
    groups = {group.gid for group in accounts.groups}
    if not any(user.name == "root" and user.uid == 0 for user in accounts.users):
        yield Finding("root", Status.FAIL, "there is no user root with uid 0", "uid 0", "none", "", _PASSWD)
    for user in accounts.users:
        if user.uid == 0 and user.name != "root":
            yield _fault(user, "another user is root too", "only root is uid 0", "uid 0", f"userdel {user.name}")
        if user.gid not in groups:
            yield _fault(user, f"its group {user.gid} does not exist", "a group", f"gid {user.gid}", "add the group")
        if user.password.state == "empty":
            yield _password_fault(user, "it needs no password", "a locked or a hashed password")
        elif user.password.algorithm in WEAK:
            message = f"its password is hashed with {user.password.algorithm}, which can be computed back"
            yield _password_fault(user, message, "a strong hash, or none")
    yield from _duplicates(accounts)
    for line in accounts.malformed:
        message = f"a line is damaged: {line.reason}"
        yield Finding(line.path, Status.FAIL, message, "sound lines", line.reason, "", line.path, line.line)


def _duplicates(accounts: Accounts) -> Iterator[Finding]:
    keys = [(_PASSWD, f"user {user.name}") for user in accounts.users]
    keys += [(_PASSWD, f"uid {user.uid}") for user in accounts.users if user.uid]  # uid 0 is another finding
    keys += [("/etc/group", f"group {group.name}") for group in accounts.groups]
    keys += [("/etc/group", f"gid {group.gid}") for group in accounts.groups]
    for (path, key), count in Counter(keys).items():
        if count > 1:
            yield Finding(key, Status.FAIL, f"it is there {count} times", "once", str(count), "", path)
    for path in sorted({one.path for one in accounts.subids}):
        ranges = sorted((one for one in accounts.subids if one.path == path), key=lambda one: one.start)
        for one, other in pairwise(ranges):
            if one.start + one.count > other.start and one.owner != other.owner:
                message = f"the ranges of {one.owner} and {other.owner} overlap"
                yield Finding(path, Status.FAIL, message, "ranges of their own", str(other.start), "", path)
