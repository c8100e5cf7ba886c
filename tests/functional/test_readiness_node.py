"""What is asked of nodes, over a real sshd: once green, and once red for each way to fail."""

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, dnsmasq, readiness
from tests.functional.ssh_node import Node, run_node
from tests.support.sshd import Server

KNOWN = "registry.internal"
"""A name in the node's own /etc/hosts: it plays one of the world outside that resolves there."""
PUBLIC = "www.example.org"
UNKNOWN = "www.example.invalid"
SIZE = 1000


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with run_node(tmp_path_factory.mktemp("node")) as running:
        yield running


def check(server: Server, folder: Path, *, host_key: str = "", **sections: Any) -> Outcome:
    login = ["--ssh-key", str(server.key), "--ssh-config", "none", "--host-key", host_key or server.host_key]
    return readiness(folder, *login, **sections)


def names(server: Server, *public_names: str) -> dict[str, Any]:
    # The node has the last word on these, so that no resolver is asked: there is none at that address.
    return {"resolvers": [f"127.0.0.1:{free_port()}"], "public_names": list(public_names), "nodes": [server.url]}


def mirror(server: Server, folder: Path, path: str, size: int = SIZE) -> dict[str, Any]:
    (folder / "Packages").write_text(f"Package: one\nVersion: 1\nSize: {size}\nFilename: one.deb\n")
    return {"packages": [{"index": "Packages"}], "mirrors": [{"node": server.url, "path": path}]}


@pytest.mark.parametrize("user", ["root", "zuul"])
def test_a_node_that_is_as_it_should_be(node: Node, tmp_path: Path, user: str) -> None:
    server = node.server.as_user(user)
    found = check(server, tmp_path, dns=names(server, UNKNOWN), storage=mirror(server, tmp_path, "/srv"))
    assert found.of("dns-node") == [(f"{UNKNOWN} on {server.url}", "pass", "does not resolve")]
    (room,) = [one for one in found.results if one["check"] == "storage-room"]
    assert room["status"] == "pass"
    assert f"{server.url}: df /srv" in room["tried"]
    assert room["expected"].startswith("2.0 KiB: 2 times 1000 B ")


def test_a_node_that_resolves_a_public_name_and_has_no_room(node: Node, tmp_path: Path) -> None:
    server = node.server
    storage = mirror(server, tmp_path, "/srv", size=10**14)
    found = check(server, tmp_path, dns=names(server, UNKNOWN, KNOWN), storage=storage)
    good, bad = found.of("dns-node")
    assert good[1] == "pass"
    assert bad == (f"{KNOWN} on {server.url}", "fail", "resolves to 127.0.0.1")
    ((_, status, message),) = found.of("storage-room")
    assert status == "fail"
    assert " for 181.9 TiB: 2 times 90.9 TiB (packages of this host " in message


def test_a_node_whose_resolver_knows_the_world(node: Node, tmp_path: Path) -> None:
    # resolv.conf(5) knows no ports: a loopback address of our own, for whoever runs these tests beside us.
    host = f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}"
    file = node.root / "etc/resolv.conf"
    file.write_text(f"nameserver {host}\n")
    try:
        with dnsmasq(f"--host-record={PUBLIC},192.0.2.99", host=host, port=53) as resolver:
            section = {**names(node.server, PUBLIC, UNKNOWN), "resolvers": [resolver]}
            found = check(node.server, tmp_path, dns=section)
    finally:
        file.unlink()
    assert found.of("dns-node") == [
        (f"{PUBLIC} on {node.server.url}", "fail", "resolves to 192.0.2.99"),
        (f"{UNKNOWN} on {node.server.url}", "pass", "does not resolve"),
    ]
    assert found.status == 1


def test_a_file_system_that_is_mounted_twice_counts_once(node: Node, tmp_path: Path) -> None:
    """Both folders are bind mounts of this host's on the node."""
    server = node.server
    storage = mirror(server, tmp_path, "/usr/bin")
    storage["mirrors"].append({"node": server.url, "path": "/usr/sbin"})
    (room,) = [one for one in check(server, tmp_path, storage=storage).results if one["check"] == "storage-room"]
    assert room["status"] == "pass"
    assert room["actual"].endswith(" free; /usr/sbin: on the same file system)")


def test_a_node_that_cannot_be_asked_is_no_verdict(node: Node, tmp_path: Path) -> None:
    server, other = node.server, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ" + "A" * 42
    nowhere = check(server, tmp_path, storage=mirror(server, tmp_path, "/no/such/folder"))
    ((_, status, message),) = nowhere.of("storage-room")
    assert status == "error"
    assert "the room at /no/such/folder: " in message
    storage = mirror(server, tmp_path, "/srv")
    stranger = check(server, tmp_path, host_key=other, dns=names(server, UNKNOWN), storage=storage)
    assert [status for _, status, _ in (*stranger.of("dns-node"), *stranger.of("storage-room"))] == ["error"] * 2
    assert "host key" in stranger.bad()["dns-node"]
    assert stranger.status == 3
    dead = f"ssh://root@127.0.0.1:{free_port()}"
    down = check(server, tmp_path, dns={**names(server, UNKNOWN), "nodes": [dead, server.url]})
    assert [status for _, status, _ in down.of("dns-node")] == ["error", "pass"]
    assert "Connection refused" in down.of("dns-node")[0][2]


def test_a_deaf_node_costs_the_time_for_a_login(node: Node, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"ssh://root@127.0.0.1:{deaf.getsockname()[1]}"
        started = time.monotonic()
        dns = {"resolvers": ["127.0.0.1:1"], "public_names": [UNKNOWN], "nodes": [url]}
        found = readiness(tmp_path, "--ssh-config", "none", "--ssh-timeout", "1", dns=dns, limits={"timeout": 60})
    assert time.monotonic() - started < 30
    ((_, status, message),) = found.of("dns-node")
    assert status == "error"
    assert "no SSH connection" in message


def test_a_file_system_that_hangs_costs_the_time_of_any_answer(node: Node, tmp_path: Path) -> None:
    """As df(1) does on a network file system whose server is gone."""
    program = node.root / "usr/local/bin/df"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    found = check(node.server, tmp_path, storage=mirror(node.server, tmp_path, "/srv"), limits={"timeout": 1})
    program.unlink()
    assert found.bad()["storage-room"] == "could not tell: the room at /srv: df did not finish within 1 s"
