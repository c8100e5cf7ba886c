"""A build node behind a firewall, for the lines about egress: namespaces of egress_lab.py, seen from the container.

world (endpoints, canaries, proxies) ---- node (here: the firewall) ---- box (here: the build node)
"""

import contextlib
import ctypes
import os
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.elements.fakeroot import FakeRoot
from tests.elements.test_egress_firewall import bake
from tests.functional.egress_lab import Lab, running
from tests.functional.readiness_lab import Outcome, readiness
from tests.support.sshd import Server, serve

CLONE_NEWNET = 0x40000000
MIRROR = {"name": "mirror.internal", "addresses": ["10.1.0.10", "fd00::10"]}
CANARY = "10.1.0.11"
CANARIES = [
    {"address": CANARY, "port": 443},
    {"address": "fd00::54", "port": 443},
    {"address": "10.0.0.54", "protocol": "dns"},
    {"address": "fd00::54", "protocol": "dns"},
]
LIMITS = {"timeout": 1.5}
GATE = """\
table inet gate
delete table inet gate
table inet gate {{
    chain forward {{
        type filter hook forward priority filter + 10; policy accept;
        iifname != "cni0" accept
        {rules}
    }}
}}
"""
PROXY = """\
User root
Port {port}
Listen {address}
Timeout 10
LogLevel Error
{settings}
"""
RESET = """\
import socket, struct, sys
server = socket.create_server((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
while True:
    link, _ = server.accept()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    link.close()
"""
HIDE = """\
set -e
mount -t overlay overlay -o "lowerdir=/usr/bin,upperdir=$FOLDER/upper,workdir=$FOLDER/work" /usr/bin
mount --bind "$FOLDER/hosts" /etc/hosts
test ! -e "$FOLDER/resolv.conf" || mount --bind "$FOLDER/resolv.conf" /etc/resolv.conf
exec "$@"
"""


@contextlib.contextmanager
def guarded(folder: Path) -> Iterator[Lab]:
    """Build the lab; its node has the element's fence, not in force yet, and the firewall lets everything pass."""
    root = bake(FakeRoot(folder / "build", "egress-firewall"))
    root.write("/etc/resolv.conf", "nameserver 10.0.0.53\n")
    root.write("/var/lib/egress-firewall/addresses", "")
    with running(root, folder) as lab:
        lab.resolve(mirror="10.1.0.10 fd00::10", registry="10.1.0.20")
        for setting in ("net.ipv4.icmp_ratelimit=0", "net.ipv6.icmp.ratelimit=0"):  # every one of them is looked at
            lab.command("node", "sysctl", "-q", "-w", setting)
        yield lab


def behind(lab: Lab, folder: Path, *rules: str, **sections: Any) -> Outcome:
    """Return what is said of a factory whose build node, ``/``, is behind a firewall with ``rules``."""
    with gate(lab, *rules), inside(lab, "box"):
        return readiness(folder, **{"endpoints": [MIRROR], "limits": LIMITS, **sections})


@contextlib.contextmanager
def inside(lab: Lab, space: str) -> Iterator[None]:
    """Have all that this thread does, and what it starts, happen in a network namespace: setns(2)."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as home, Path("/run/netns", lab.spaces[space]).open() as away:
        assert libc.setns(away.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())


@contextlib.contextmanager
def gate(lab: Lab, *rules: str) -> Iterator[None]:
    """Let the firewall filter what comes from the build node."""
    lab.nft(GATE.format(rules="\n        ".join(rules)))
    try:
        yield
    finally:
        lab.nft("delete table inet gate")


@contextlib.contextmanager
def tinyproxy(lab: Lab, folder: Path, address: str, port: int, *settings: str) -> Iterator[str]:
    """Run a proxy in the world; give its ADDRESS:PORT."""
    assert shutil.which("tinyproxy"), "tinyproxy is not installed: see bindep.txt"
    config = folder / f"tinyproxy-{port}.conf"
    config.write_text(PROXY.format(address=address, port=port, settings="\n".join(settings)))
    with lab.started("world", "tinyproxy", "-d", "-c", str(config)) as process:
        while f"{address}:{port} " not in lab.command("world", "ss", "-tln"):
            assert process.poll() is None, "the proxy ended"
            time.sleep(0.02)
        yield f"{address}:{port}"


@contextlib.contextmanager
def resetting(lab: Lab, address: str, port: int) -> Iterator[None]:
    """Run a server that takes every connection, and resets it at once."""
    with lab.started("world", "python3", "-c", RESET, address, str(port)) as server:
        assert server.stdout
        assert server.stdout.readline() == b"up\n"
        yield


@contextlib.contextmanager
def node(folder: Path, hosts: Sequence[str], *, python: bool = True) -> Iterator[Server]:
    """Run a real sshd where this thread is, for a node with names of its own, and without Python if told so.

    The node has the resolv.conf of ``folder``, if there is one.
    """
    for name in ("upper", "work"):
        (folder / name).mkdir()
    (folder / "hosts").write_text("".join(f"{line}\n" for line in ["127.0.0.1 localhost", *hosts]))
    if not python:
        os.mknod(folder / "upper/python3", stat.S_IFCHR, 0)  # a white-out of overlayfs
    wrapper = ["unshare", "--mount", "env", f"FOLDER={folder}", "sh", "-c", HIDE, "sh"]
    with serve(folder / "sshd", wrapper=wrapper) as server:
        yield server


def login(server: Server) -> list[str]:
    """Return the options that let the command line in."""
    return ["--ssh-key", str(server.key), "--ssh-config", "none", "--host-key", server.host_key]
