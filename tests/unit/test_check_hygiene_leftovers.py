from typing import Any

import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.hygiene import ask_draft, failed
from tests.support.memory_engine import Entry, Link

CHECK = "hygiene-leftovers"
RULES = {"leftovers": True}


def leftovers(tree: dict[str, Entry], **rules: Any) -> list[Finding]:
    return ask(CHECK, tree, images.policy(hygiene={**RULES, **rules}))


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    tree["/etc/dib-manifests/dib_environment"] = "x"
    tree["/etc/ca-certificates.conf.dpkg-old"] = "x"
    tree["/usr/share/doc/x.dpkg-new"] = tree["/usr/lib/core"] = "x"
    assert only(leftovers(tree)).status is Status.PASS


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/usr/sbin/policy-rc.d", "starting their services"),
        ("/etc/apt/apt.conf.d/60img-build-proxy", "proxy"),
        ("/.dockerenv", "container"),
        ("/run/.containerenv", "container"),
        ("/root/anaconda-ks.cfg", "installer"),
        ("/core", "crashed"),
        ("/core.1234", "crashed"),
        ("/var/crash/_usr_bin_x.0.crash", "crashed"),
        ("/var/lib/systemd/coredump/core.x.zst", "crashed"),
        ("/var/lib/dhcp/dhclient.eth0.leases", "lease"),
        ("/var/lib/NetworkManager/internal-x-eth0.lease", "lease"),
        ("/etc/udev/rules.d/70-persistent-net.rules", "network cards"),
        ("/etc/dib-something", "diskimage-builder"),
        ("/etc/x/y.conf.dpkg-new", "interrupted"),
        ("/etc/x.conf.dpkg-dist", "nobody has merged"),
        ("/etc/x.conf.rpmnew", "nobody has merged"),
        ("/etc/x.conf.rpmsave", "no longer in force"),
        ("/etc/x.conf.dpkg-old", "no longer in force"),
    ],
)
def test_every_leftover_fails(tree: dict[str, Entry], path: str, said: str) -> None:
    tree[path] = "x"
    finding = only(leftovers(tree))
    assert (finding.subject, finding.status) == (path, Status.FAIL)
    assert said in finding.message
    assert finding.hint


def test_the_folder_of_dib_s_hooks_fails(tree: dict[str, Entry]) -> None:
    findings = ask_draft(CHECK, tree, lambda draft: draft.mkdir("/tmp/in_target.d"), hygiene=RULES)
    assert failed(findings) == ["/tmp/in_target.d"]


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/var/lib/dhcp/dhclient.leases", ""),
        ("/etc/udev/rules.d/70-persistent-net.rules", Link("/dev/null")),
        ("/core/notes.txt", "x"),
    ],
)
def test_what_only_looks_like_one_passes(tree: dict[str, Entry], path: str, entry: Entry) -> None:
    tree[path] = entry
    assert only(leftovers(tree)).status is Status.PASS


def test_what_the_policy_allows_passes(tree: dict[str, Entry]) -> None:
    tree["/etc/x.conf.rpmnew"] = "x"
    assert only(leftovers(tree, leftovers_allowed=["/etc/**.rpmnew"])).status is Status.PASS


def test_hostile_names_are_escaped(tree: dict[str, Entry]) -> None:
    tree["/etc/\udcff.dpkg-new"] = "x"
    assert failed(leftovers(tree)) == ["/etc/\\xff.dpkg-new"]


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
