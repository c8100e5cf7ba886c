import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.hygiene import ask_draft, failed
from tests.support.memory_engine import Entry, Link

CHECK = "hygiene-caches"
RULES = {"max_cache_size": "1 KiB"}
POLICY = images.policy(hygiene=RULES)


def test_small_caches_and_empty_folders_pass(tree: dict[str, Entry]) -> None:
    tree["/var/cache/apt/pkgcache.bin"] = b"x" * 1024
    tree["/root/.cache/x"] = b"x" * 1024
    findings = ask_draft(CHECK, tree, lambda draft: draft.mkdir("/tmp/systemd-private-x", mode=0o700), hygiene=RULES)
    assert failed(findings) == []
    assert "2.0 KiB in all" in findings[0].message


@pytest.mark.parametrize(
    ("file", "area"),
    [
        ("/var/cache/apt/archives/x.deb", "/var/cache/apt"),
        ("/var/lib/apt/lists/x", "/var/lib/apt/lists"),
        ("/var/cache/dnf/x/y.solv", "/var/cache/dnf"),
        ("/var/cache/libdnf5/x", "/var/cache/libdnf5"),
        ("/var/cache/zypp/x", "/var/cache/zypp"),
        ("/root/.cache/pip/http/x", "/root/.cache"),
        ("/home/zuul/.npm/_cacache/x", "/home/zuul/.npm"),
    ],
)
def test_a_large_cache_fails(tree: dict[str, Entry], file: str, area: str) -> None:
    tree[file] = b"x" * 1000
    tree[f"{file}2"] = b"x" * 25
    finding = only(failures(ask(CHECK, tree, POLICY)))
    assert (finding.subject, finding.status) == (area, Status.FAIL)
    assert finding.message == "1.0 KiB in 2 files, but at most 1.0 KiB is allowed"


@pytest.mark.parametrize("path", ["/tmp/get-pip.py", "/var/tmp/a/b"])
def test_a_temporary_file_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = ""
    assert only(failures(ask(CHECK, tree, POLICY))).subject == path


def test_a_temporary_link_fails_and_is_not_followed(tree: dict[str, Entry]) -> None:
    tree["/tmp/x"] = Link("/tmp/x")
    assert failed(ask(CHECK, tree, POLICY)) == ["/tmp/x"]


def test_dib_s_hooks_are_left_to_the_leftovers(tree: dict[str, Entry]) -> None:
    tree["/tmp/in_target.d/install.d/50-x"] = "x"
    assert failures(ask(CHECK, tree, POLICY)) == []


def test_more_than_is_listed_is_said(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.usage.MAX_NAMED", 1)
    tree["/tmp/a"] = tree["/tmp/b"] = "x"
    assert failed(ask(CHECK, tree, POLICY)) == ["/tmp/a", "temporary files"]


def test_too_many_entries_could_not_tell(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.usage.MAX_ENTRIES", 1)
    tree["/tmp/a"] = tree["/tmp/b"] = "x"
    with pytest.raises(ValidatorError, match="more than 1 files and folders below /tmp"):
        ask(CHECK, tree, POLICY)


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
