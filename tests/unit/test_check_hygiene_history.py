import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.hygiene import failed
from tests.support.memory_engine import Broken, Entry, Link

CHECK = "hygiene-history"
POLICY = images.policy(hygiene={"history": True})


@pytest.mark.parametrize(
    "path",
    [
        "/root/.bash_history",
        "/root/.zsh_history",
        "/root/.python_history",
        "/root/.mysql_history",
        "/root/.lesshst",
        "/root/.viminfo",
        "/home/zuul/.bash_history",
        "/home/zuul/.local/share/fish/fish_history",
        "/var/lib/postgresql/.psql_history",
    ],
)
def test_every_history_fails(tree: dict[str, Entry], path: str) -> None:
    tree["/etc/passwd"] = "root:x:0:0::/root:/bin/sh\npostgres:x:99:99::/var/lib/postgresql:/bin/sh\n"
    tree[path] = "mysql -phunter2\n"
    finding = only(ask(CHECK, tree, POLICY))
    assert (finding.subject, finding.status, finding.actual) == (path, Status.FAIL, "16 B")


@pytest.mark.parametrize("entry", ["", Link("/dev/null")])
def test_an_empty_history_passes(tree: dict[str, Entry], entry: Entry) -> None:
    tree["/root/.bash_history"] = entry
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


def test_what_is_called_otherwise_passes(tree: dict[str, Entry]) -> None:
    tree["/root/.bashrc"] = tree["/root/history.txt"] = tree["/home/notes"] = "x"
    assert only(ask(CHECK, tree, POLICY)).status is Status.PASS


def test_odd_homes_are_looked_at_safely(tree: dict[str, Entry]) -> None:
    homes = ("", "/", "/nonexistent", "/usr/sbin", "relative", "/root/../root", "/home/\udcff")
    tree["/etc/passwd"] = "".join(f"u:x:1:1::{home}:/bin/sh\n" for home in homes).encode(errors="surrogateescape")
    tree["/home/\udcff/.bash_history"] = "x"
    assert failed(ask(CHECK, tree, POLICY)) == ["/home/\\xff/.bash_history"]


def test_accounts_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/etc/passwd"] = Broken()
    with pytest.raises(ValidatorError, match="Input/output error"):
        ask(CHECK, tree, POLICY)


def test_too_many_homes_could_not_tell(tree: dict[str, Entry]) -> None:
    tree["/etc/passwd"] = "".join(f"u:x:1:1::/h{number}:/bin/sh\n" for number in range(1001))
    with pytest.raises(ValidatorError, match="more than 1000 home folders"):
        ask(CHECK, tree, POLICY)


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
