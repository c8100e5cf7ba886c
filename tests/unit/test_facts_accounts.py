import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts import dump
from diskimage_validator.facts.accounts import Accounts, read_accounts, read_password
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.sudo import read_sudo
from tests.support import node
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry, MemoryEngine


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def accounts(tree: dict[str, Entry]) -> Accounts:
    return read_accounts(MemoryEngine(tree))


@pytest.mark.parametrize(
    ("field", "state", "algorithm"),
    [
        ("", "empty", ""),
        ("!", "locked", ""),
        ("*", "locked", ""),
        ("!*", "locked", ""),
        ("!!", "locked", ""),
        ("*LK*", "locked", ""),
        ("abJnggxhB/yWI", "hashed", "des"),
        ("$1$salt$hash", "hashed", "md5"),
        ("$2b$10$hash", "hashed", "bcrypt"),
        ("$5$salt$hash", "hashed", "sha256"),
        ("$6$salt$hash", "hashed", "sha512"),
        ("$y$j9T$salt$hash", "hashed", "yescrypt"),
        ("$gy$j9T$salt$hash", "hashed", "gost-yescrypt"),
        ("!$6$salt$hash", "locked", "sha512"),
        ("$new$hash", "hashed", "unknown"),
        ("_J9..CCCCXBrJUJV154M", "hashed", "bsdi-des"),
    ],
)
def test_passwords(field: str, state: str, algorithm: str) -> None:
    found = read_password(field)
    assert (found.state, found.algorithm) == (state, algorithm)


def test_users_have_their_groups(tree: dict[str, Entry]) -> None:
    tree["/etc/group"] = "root:x:0:\nzuul:x:1000:\nsudo:x:27:bob,zuul\ndocker:x:990:zuul\n"
    user = accounts(tree).user("zuul")
    assert user is not None
    assert (user.groups, user.shell, user.password.state) == (("zuul", "sudo", "docker"), "/bin/bash", "locked")


def test_a_password_in_passwd_itself_counts(tree: dict[str, Entry]) -> None:
    tree["/etc/passwd"] = "a::0:0:::\nb:$1$x$y:1:0:::/bin/sh\nc:x:2:0:::\n"
    users = {user.name: user for user in accounts(tree).users}
    assert [users[name].password.state for name in "abc"] == ["empty", "hashed", "locked"]
    assert users["a"].shell == "/bin/sh"
    assert users["a"].password.path == "/etc/passwd"


def test_damaged_lines_are_noted_and_the_rest_counts(tree: dict[str, Entry]) -> None:
    tree["/etc/passwd"] = "broken\nbad:x:one:0:::\nhuge:x:99999999999:0:::\n+::::::\nroot:x:0:0:root:/root:/bin/sh\n"
    tree["/etc/subuid"] = "zuul:100000:65536\nzuul:x:1\n"
    found = accounts(tree)
    assert [user.name for user in found.users] == ["root"]
    assert [(line.path, line.line) for line in found.malformed] == [
        ("/etc/passwd", 1),
        ("/etc/passwd", 2),
        ("/etc/passwd", 3),
        ("/etc/subuid", 2),
    ]
    assert [(one.owner, one.start, one.count) for one in found.subids] == [("zuul", 100000, 65536)]


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/group"])
def test_no_accounts_is_an_error(tree: dict[str, Entry], path: str) -> None:
    del tree[path]
    with pytest.raises(FactError, match="is not there"):
        accounts(tree)


def test_too_many_lines(tree: dict[str, Entry]) -> None:
    tree["/etc/passwd"] = "a:x:1:0:::\n" * 30_000
    with pytest.raises(FactError, match="more than"):
        accounts(tree)


def test_no_hash_gets_into_the_facts(tree: dict[str, Entry]) -> None:
    tree["/etc/shadow"] = "root:$6$saltsalt$secrethash:1::::::\n"
    tree["/etc/gshadow"] = "root:$6$saltsalt$secrethash::\n"
    tree["/etc/sudoers.d/x"] = "zuul ALL = /usr/bin/mysql -psecrethash\n"
    tree[node.KEYS] = f'command="x secrethash" {node.KEY}\n'
    assert "secrethash" not in json.dumps(dump(facts_of(tree)))


@given(st.binary())
def test_any_file_is_read_or_refused(data: bytes) -> None:
    files = ("passwd", "group", "shadow", "gshadow", "subuid", "sudoers")
    engine = MemoryEngine({f"/etc/{name}": data for name in files})
    try:
        read_accounts(engine)
        read_sudo(engine)
    except FactError:
        pass
