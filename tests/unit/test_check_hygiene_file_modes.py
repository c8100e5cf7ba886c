import stat
from collections.abc import Callable
from typing import Any

import pytest

from diskimage_validator.engines.base import Stat
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.hygiene import ask_draft, failed
from tests.support.memory_engine import Entry, File
from tests.support.mutations import Changed, Draft

CHECK = "hygiene-file-modes"


def modes(tree: dict[str, Entry], change: Callable[[Draft], None], **rules: Any) -> list[Finding]:
    return ask_draft(CHECK, tree, change, hygiene={"file_modes": True, **rules})


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/usr/bin/sudo", 0o4755),
        ("/usr/bin/ssh-agent", 0o2755),
        ("/usr/lib/openssh/ssh-keysign", 0o4755),
        ("/usr/libexec/openssh/ssh-keysign", 0o2755),
        ("/usr/lib/dbus-1.0/dbus-daemon-launch-helper", 0o4754),
        ("/usr/sbin/unix_chkpwd", 0o2755),
        ("/var/lib/docker/overlay2/x/bin/odd", 0o4755),
        ("/dev/shm/x", 0o666),
    ],
)
def test_what_distributions_do_passes(tree: dict[str, Entry], path: str, mode: int) -> None:
    tree[path] = File(b"x", mode)
    assert only(modes(tree, lambda draft: None)).status is Status.PASS


@pytest.mark.parametrize("path", ["/usr/local/bin/bash", "/usr/bin/bash", "/home/zuul/sudo", "/usr/bin/x/sudo"])
@pytest.mark.parametrize(("mode", "said"), [(0o4755, "setuid"), (0o2755, "setgid")])
def test_an_unknown_setuid_file_fails(tree: dict[str, Entry], path: str, mode: int, said: str) -> None:
    tree[path] = File(b"x", mode)
    finding = only(modes(tree, lambda draft: None))
    assert (finding.subject, finding.status, finding.actual) == (path, Status.FAIL, f"{mode:04o}")
    assert finding.message == f"{said}: mode {mode:04o}, owner 0:0"


def test_the_policy_can_allow_more(tree: dict[str, Entry]) -> None:
    tree["/opt/vendor/bin/helper"] = File(b"x", 0o6755)
    tree["/srv/drop/x"] = File(b"x", 0o666)
    rules = {"setuid_allowed": ["/opt/vendor/**"], "world_writable_allowed": ["/srv/drop/*"]}
    assert only(modes(tree, lambda draft: None, **rules)).status is Status.PASS


def test_a_file_that_everybody_may_write_fails(tree: dict[str, Entry]) -> None:
    tree["/etc/profile"] = File(b"x", 0o666)
    assert failed(modes(tree, lambda draft: None)) == ["/etc/profile"]


def test_a_folder_that_everybody_may_write_needs_the_sticky_bit(tree: dict[str, Entry]) -> None:
    assert failed(modes(tree, lambda draft: draft.mkdir("/var/tmp", mode=0o1777))) == []
    assert failed(modes(tree, lambda draft: draft.mkdir("/var/tmp", mode=0o777))) == ["/var/tmp"]
    assert failed(modes(tree, lambda draft: draft.mkdir("/var/local", mode=0o2775))) == []


def test_links_have_no_mode_of_their_own(tree: dict[str, Entry]) -> None:
    assert failed(modes(tree, lambda draft: draft.link("/etc/x", "/tmp"))) == []


@pytest.mark.parametrize("kind", [stat.S_IFBLK, stat.S_IFCHR])
def test_a_device_outside_dev_fails(tree: dict[str, Entry], kind: int) -> None:
    def change(draft: Draft) -> None:
        draft._put("/opt/sda", Changed(Stat(kind | 0o600, 0, 0, 0, 0)))
        draft._put("/dev/sda", Changed(Stat(kind | 0o600, 0, 0, 0, 0)))

    assert failed(modes(tree, change)) == ["/opt/sda"]


def test_more_than_is_listed_is_said(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.file_modes.MAX_NAMED", 1)
    tree["/usr/bin/sudo"] = tree["/usr/bin/su"] = File(b"x", 0o4755)
    assert failed(modes(tree, lambda draft: None)) == ["file modes"]


def test_hostile_names_are_escaped(tree: dict[str, Entry]) -> None:
    tree["/opt/\udcff"] = File(b"x", 0o4755)
    assert failed(modes(tree, lambda draft: None)) == ["/opt/\\xff"]


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
