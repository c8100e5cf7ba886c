"""A network namespace with one link to this host, across which only the ports of the services pass.

The host's own network configuration stays as it is: nothing is routed, nothing is translated, no forwarding is switched
on. The rules live inside the namespace; whoever runs there as root could change them, which is why they are read again
in the end (``Packets.rules_unchanged``).
"""

import ipaddress
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from airgap_image_factory.airgap.service import Service
from airgap_image_factory.errors import BuildError
from diskimage_validator.errors import UsageError
from diskimage_validator.process import Completed, run

TIMEOUT: Final = 30.0
MAX_NAMES: Final = 200
NETNS_ETC: Final = Path("/etc/netns")
"""ip-netns(8) puts the files below ``/etc/netns/NAME`` over those of /etc for a command that it runs."""

RULES: Final = """
table inet airgap {{
    counter allowed {{ }}
    counter elsewhere {{ }}
    set tried {{
        type ipv4_addr . inet_proto . inet_service
        size 4096
        flags dynamic
    }}
    chain output {{
        type filter hook output priority 0; policy drop;
        oif lo accept
        ct state established,related counter name allowed accept
        ip daddr {resolver} udp dport 53 counter name allowed accept
        ip daddr . tcp dport {{ {services} }} counter name allowed accept
        meta l4proto {{ tcp, udp }} add @tried {{ ip daddr . meta l4proto . th dport }}
        counter name elsewhere reject with icmpx type admin-prohibited
    }}
    chain forward {{
        type filter hook forward priority 0; policy drop;
        counter name elsewhere
    }}
}}
"""


@dataclass(frozen=True)
class Packets:
    """What crossed the namespace's filter: packets to the services, packets to anywhere else, and where those went."""

    allowed: int
    elsewhere: int
    tried: tuple[str, ...]
    rules_unchanged: bool


class Namespace:
    """A namespace named ``airgap-XXXXXX`` and its link.

    ``inside`` is the address of its own end. The host's end has one for the resolver and, in ``addresses``, one for
    each service's name, so that two services may use the same port.
    """

    def __init__(self, services: Sequence[Service]) -> None:
        """Make the namespace, its link and its rules. Needs root; raises BuildError with what failed."""
        names = sorted({service.name for service in services})
        if len(names) > MAX_NAMES:
            raise UsageError(f"{len(names)} names are more than the {MAX_NAMES} that fit on the link")
        mark = secrets.token_hex(3)
        self.name = f"airgap-{mark}"
        self._enter = ["ip", "netns", "exec", self.name]
        self._link = f"ag{mark}"
        # A /24 of the range for tests of network devices (RFC 2544): no site uses it for anything.
        network = ipaddress.ip_network(f"198.{18 + secrets.randbelow(2)}.{secrets.randbelow(256)}.0/24")
        hosts = [str(address) for address in network.hosts()]
        self.resolver, self.inside = hosts[0], hosts[-1]
        self.addresses = dict(zip(names, hosts[1:], strict=False))
        allowed = [(self.resolver, 53), *((self.addresses[service.name], service.port) for service in services)]
        pairs = ", ".join(f"{address} . {port}" for address, port in sorted(set(allowed)))
        self._rules = RULES.format(resolver=self.resolver, services=pairs)
        try:
            self._make()
        except BaseException:
            self.close()
            raise
        self._initial = self._rule_texts()

    def _make(self) -> None:
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        for address in (self.resolver, *self.addresses.values()):
            _run("ip", "address", "add", f"{address}/24", "dev", self._link)
        _run("ip", "link", "set", self._link, "up")
        # IPv6 would need rules for its own housekeeping, and nothing here speaks it: so nothing can leave by it either.
        self._inside("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        self._inside("ip", "link", "set", "lo", "up")
        self._inside("ip", "address", "add", f"{self.inside}/24", "dev", "eth0")
        self._inside("ip", "link", "set", "eth0", "up")
        # A default route, so that a packet to anywhere meets the rules and is counted.
        self._inside("ip", "route", "add", "default", "via", self.resolver)
        self._inside("nft", self._rules)
        etc = NETNS_ETC / self.name
        etc.mkdir(parents=True)
        (etc / "resolv.conf").write_text(f"nameserver {self.resolver}\n")

    def command(self, command: Sequence[str]) -> list[str]:
        """Return ``command`` as it has to be started to run inside, on a host called localhost.

        Programs look their host's own name up, sudo in a chroot for one; that is nobody's attempt to get out.
        """
        rename = 'echo localhost > /proc/sys/kernel/hostname && exec "$@"'
        return [*self._enter, "unshare", "--uts", "sh", "-c", rename, "sh", *command]

    def packets(self) -> Packets:
        """Read the counters."""
        counters = {}
        tried: list[str] = []
        for item in self._ruleset():
            if "counter" in item:
                counters[item["counter"]["name"]] = int(item["counter"]["packets"])
            if "set" in item:
                entries = (_element(entry) for entry in item["set"].get("elem", []))
                tried = sorted(f"{address} {protocol}/{port}" for address, protocol, port in entries)
        unchanged = self._rule_texts() == self._initial
        return Packets(counters.get("allowed", 0), counters.get("elsewhere", 0), tuple(tried), unchanged)

    def _ruleset(self) -> list[dict[str, Any]]:
        listed = self._inside("nft", "--json", "list", "ruleset").stdout
        items: list[dict[str, Any]] = json.loads(listed)["nftables"]
        return items

    def _rule_texts(self) -> list[str]:
        """Return the rules and chains without what changes by itself."""
        return sorted(json.dumps(item, sort_keys=True) for item in self._ruleset() if "rule" in item or "chain" in item)

    def _inside(self, *command: str) -> Completed:
        return _run(*self._enter, *command)

    def close(self) -> None:
        """Remove the namespace, and with it link and rules. Processes that still run inside are killed."""
        pids = run(["ip", "netns", "pids", self.name], timeout=TIMEOUT).stdout.split()
        if pids:
            run(["kill", "-KILL", *pids], timeout=TIMEOUT)
        run(["ip", "link", "delete", self._link], timeout=TIMEOUT)
        run(["ip", "netns", "delete", self.name], timeout=TIMEOUT)
        etc = NETNS_ETC / self.name
        if etc.exists():
            (etc / "resolv.conf").unlink(missing_ok=True)
            etc.rmdir()


def _element(entry: dict[str, Any]) -> list[Any]:
    """Return the concatenation in a set's element, which nft wraps when it has a counter or a timeout."""
    wrapped: dict[str, Any] = entry.get("elem", {}).get("val", entry) if "elem" in entry else entry
    parts: list[Any] = wrapped["concat"]
    return parts


def _run(*command: str) -> Completed:
    done = run(command, timeout=TIMEOUT)
    if done.status != 0:
        raise BuildError(
            f"{' '.join(command[:6])}: {done.stderr.strip()}", "the air gap needs root, iproute2, nftables and veth"
        )
    return done
