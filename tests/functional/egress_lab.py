"""A node with the fence of egress-firewall, a container behind it and a world around it, in network namespaces.

    world ---- uplink (veth) ---- node ---- cni0 (bridge) ---- container

The world answers on every address of ``WORLD`` and every port of ``PORTS``, and a real DNS server of its own on
``DNS``. The rules were rendered and installed by the element's own hooks into a fake root; the element's own program
puts them in force, in a chroot there. Nothing of this touches the host's network. Needs root, nft, ip and dnsmasq.
"""

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.elements.fakeroot import FakeRoot

DNS = "10.0.0.53"
WORLD = (
    DNS, "10.0.0.54", "10.1.0.10", "10.1.0.11", "10.1.0.20", "10.20.0.5", "169.254.169.254",
    "fd00::10", "fd00::20", "fd00::53", "fd00::54",
)  # fmt: skip
PORTS = (22, 67, 80, 443, 547, 5000)
CONTAINER = ("10.88.0.2", "fd88::2")

SERVE = """\
import selectors, socket, sys
ports, others = [int(port) for port in sys.argv[1].split(",")], sys.argv[2:]
selector = selectors.DefaultSelector()
places = [(address, port) for address in others for port in ports]
for address, port in places + [(address, 53) for address in others if address[-2:] == "54"]:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        if kind == socket.SOCK_STREAM:
            server.listen(20)
        selector.register(server, selectors.EVENT_READ)
print("up", flush=True)
while True:
    for key, _ in selector.select():
        if key.fileobj.type == socket.SOCK_STREAM:
            key.fileobj.accept()[0].close()
        else:
            data, sender = key.fileobj.recvfrom(2000)
            key.fileobj.sendto(data, sender)
"""

# A DNS question for "mirror.internal", which any server of the lab answers in some way.
PROBE = """\
import socket, sys
protocol, address, port, source = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
with socket.socket(family, kind) as probe:
    probe.settimeout(0.4)
    try:
        if source:
            probe.bind(("", source))
        probe.connect((address, port))
        if protocol == "udp":
            probe.send(bytes.fromhex("00010100000100000000000006") + b"mirror\\x08internal\\0\\0\\1\\0\\1")
            probe.recv(2000)
        print("passed")
    except (TimeoutError, PermissionError):
        print("dropped")
"""

# What a container engine adds: address translation, and a forward chain of its own.
ENGINE = """\
table inet engine {
    chain postrouting {
        type nat hook postrouting priority srcnat;
        ip saddr 10.88.0.0/24 oifname "uplink" masquerade
        ip6 saddr fd88::/64 oifname "uplink" masquerade
    }
    chain forward {
        type filter hook forward priority filter; policy drop;
        iifname "cni0" accept
        oifname "cni0" tcp dport 22 accept comment "published"
        ct state established,related accept
    }
}
"""

LINKS = """\
-n {world} link set lo up
-n {node} link set lo up
-n {box} link set lo up
-n {node} link add uplink type veth peer name uplink netns {world}
-n {node} link add cni0 type bridge
-n {node} link add box0 type veth peer name eth0 netns {box}
-n {node} link set box0 master cni0
-n {world} address add 10.9.0.254/24 dev uplink
-n {world} address add fd09::ff/64 dev uplink nodad
-n {node} address add 10.9.0.1/24 dev uplink
-n {node} address add fd09::1/64 dev uplink nodad
-n {node} address add 10.88.0.1/24 dev cni0
-n {node} address add fd88::1/64 dev cni0 nodad
-n {box} address add 10.88.0.2/24 dev eth0
-n {box} address add fd88::2/64 dev eth0 nodad
-n {world} link set uplink up
-n {node} link set uplink up
-n {node} link set box0 up
-n {node} link set cni0 up
-n {box} link set eth0 up
-n {node} route add default via 10.9.0.254
-n {node} -6 route add default via fd09::ff
-n {world} route add 10.88.0.0/24 via 10.9.0.1
-n {box} route add default via 10.88.0.1
-n {box} -6 route add default via fd88::1
"""


NUMBERS = itertools.count()


class Lab:
    """The running lab. ``names`` is the hosts file of its DNS server; ``root`` the node's files."""

    def __init__(self, root: FakeRoot, folder: Path) -> None:
        self.root = root
        self.names = folder / "names"
        number = next(NUMBERS)
        self.spaces = {name: f"fence-{os.getpid()}-{number}-{name}" for name in ("world", "node", "box")}
        self.dns = ExitStack()

    def command(self, space: str, *command: str) -> str:
        """Run a command in ``world``, ``node`` or ``box`` and return what it prints; fail if it fails."""
        full = ["ip", "netns", "exec", self.spaces[space], *command]
        done = subprocess.run(full, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def started(self, space: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server in one of the spaces until the block ends."""
        process = subprocess.Popen(["ip", "netns", "exec", self.spaces[space], *command], stdout=subprocess.PIPE)
        with process:
            try:
                yield process
            finally:
                process.terminate()

    def nft(self, ruleset: str) -> None:
        """Feed the node's nftables."""
        full = ["ip", "netns", "exec", self.spaces["node"], "nft", "--file", "-"]
        subprocess.run(full, input=ruleset, text=True, check=True, timeout=60)

    def fence(self, verb: str) -> str:
        """Run the element's program on the node; return what it says on standard error."""
        root = str(self.root.path)
        script = (
            'mount -t overlay usr -o "lowerdir=/usr,upperdir=$1/usr,workdir=$1/../work" "$1/usr"'
            ' && mount -t proc proc "$1/proc" && mount --bind /dev "$1/dev"'
            ' && exec chroot "$1" /usr/local/sbin/egress-firewall "$2"'
        )
        inside = ["unshare", "--mount", "bash", "-c", script, "bash", root, verb]
        full = ["ip", "netns", "exec", self.spaces["node"], *inside]
        done = subprocess.run(full, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stderr

    def resolve(self, **names: str) -> None:
        """Let the DNS server know these names of ``.internal``, and no other; addresses separated by spaces."""
        lines = [f"{address} {name}.internal\n" for name, found in names.items() for address in found.split()]
        self.names.write_text("".join(lines))
        options = ["--no-resolv", "--no-hosts", "--bind-interfaces", "--local-ttl=0", f"--addn-hosts={self.names}"]
        options += ["--conf-file=/dev/null", "--pid-file=", "--user=root", f"--listen-address={DNS},fd00::53"]
        # Stopped and started anew: it reads the names before it answers, and nobody has to guess when.
        self.dns.close()
        self.dns.enter_context(self.started("world", "dnsmasq", "--keep-in-foreground", *options))
        while f"{DNS}:53 " not in self.command("world", "ss", "-uln"):
            time.sleep(0.02)

    def reaches(self, space: str, address: str, port: int, protocol: str = "tcp", source: int = 0) -> bool:
        """Whether a connection (tcp) or a question and its answer (udp) pass from ``node`` or ``box``."""
        arguments = [protocol, address, str(port), str(source)]
        said = self.command(space, sys.executable, "-c", PROBE, *arguments).strip()
        assert said in {"passed", "dropped"}, said
        return said == "passed"

    def dropped(self, chain: str) -> int:
        """Return how many packets were dropped in ``output`` or ``forward``."""
        listed = self.command("node", "nft", "list", "counter", "inet", "egress_firewall", f"dropped_{chain}")
        return int(listed.partition("packets ")[2].split()[0])


@contextmanager
def running(root: FakeRoot, folder: Path) -> Iterator[Lab]:
    """Build the lab; ``folder`` is empty. The fence is not in force yet."""
    lab = Lab(root, folder)
    with ExitStack() as stack:
        for name in lab.spaces.values():
            subprocess.run(["ip", "netns", "add", name], check=True)
            stack.callback(subprocess.run, ["ip", "netns", "delete", name], check=True)
        for line in LINKS.format(**lab.spaces).splitlines():
            subprocess.run(["ip", *line.split()], check=True)
        for address in WORLD:
            prefix = ["nodad"] if ":" in address else []
            lab.command("world", "ip", "address", "add", address, "dev", "lo", *prefix)
        for setting in ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"):
            lab.command("node", "sysctl", "-q", "-w", setting)
        lab.nft(ENGINE)
        world = stack.enter_context(
            lab.started("world", sys.executable, "-c", SERVE, ",".join(map(str, PORTS)), *WORLD)
        )
        assert world.stdout
        assert world.stdout.readline() == b"up\n"
        stack.enter_context(lab.dns)
        lab.resolve()
        yield lab
