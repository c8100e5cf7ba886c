from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.errors import PolicyError, ValidatorError
from diskimage_validator.facts.resolv_conf import parse_resolv_conf
from diskimage_validator.model import Finding, Status
from diskimage_validator.policy import parse_policy
from tests.support import images
from tests.support.asking import ask, only
from tests.support.hygiene import failed
from tests.support.memory_engine import Broken, Entry, Link

CHECK = "hygiene-resolv-conf"
PATH = "/etc/resolv.conf"


def resolver(tree: dict[str, Entry], *nameservers: str) -> list[Finding]:
    return ask(CHECK, tree, images.policy(hygiene={"resolv_conf": True, "nameservers": list(nameservers)}))


@pytest.mark.parametrize(
    "entry",
    [
        None,
        Link("../run/systemd/resolve/stub-resolv.conf"),
        Link("/run/NetworkManager/resolv.conf"),
        "",
        "# nameserver 192.0.2.1\nsearch internal\n",
        "nameserver 127.0.0.53\nnameserver ::1\n",
        "nameserver 10.20.0.53\nnameserver fd00::53%eth0\n",
    ],
)
def test_clean_states_pass(tree: dict[str, Entry], entry: Entry | None) -> None:
    if entry is not None:
        tree[PATH] = entry
    tree["/run/systemd/resolve/stub-resolv.conf"] = "nameserver 192.0.2.1\n"
    assert only(resolver(tree, "10.20.0.0/24", "fd00::53")).status is Status.PASS


def test_every_name_server_that_is_not_allowed_fails(tree: dict[str, Entry]) -> None:
    tree[PATH] = "search x\nnameserver 10.20.0.53\nnameserver 192.0.2.1\nnameserver nonsense\n"
    findings = resolver(tree, "10.20.0.0/24")
    assert [(finding.subject, finding.line) for finding in findings] == [("192.0.2.1", 3), ("nonsense", 4)]
    assert failed(findings) == ["192.0.2.1", "nonsense"]


def test_a_link_to_a_file_of_the_image_is_read(tree: dict[str, Entry]) -> None:
    tree[PATH], tree["/etc/resolv.builder"] = Link("resolv.builder"), "nameserver 192.0.2.1\n"
    assert failed(resolver(tree)) == ["192.0.2.1"]


def test_dib_s_copy_fails(tree: dict[str, Entry]) -> None:
    tree["/etc/resolv.conf.ORIG"] = Link("/run/x")
    assert failed(resolver(tree)) == ["/etc/resolv.conf.ORIG"]


def test_a_file_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[PATH] = Broken()
    with pytest.raises(ValidatorError, match="Input/output error"):
        resolver(tree)


def test_the_policy_wants_addresses_or_networks() -> None:
    text = "version: 1\nname: x\nhygiene:\n  resolv_conf: true\n  nameservers: [dns.internal]\n"
    with pytest.raises(PolicyError, match="IP address or a network"):
        parse_policy(text, "x.yaml", Path())


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


@given(st.binary())
def test_no_content_breaks_the_parser(data: bytes) -> None:
    found: Any = parse_resolv_conf(b"nameserver " + data)
    assert all(len(server.address) <= 100 for server in found)
