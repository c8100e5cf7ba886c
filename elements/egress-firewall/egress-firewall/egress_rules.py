"""Write a node's nftables rules from its site: egress_rules.py SITE_JSON FOLDER.

SITE_JSON is what the element airgap-site writes. FOLDER gets ``rules.nft``, which holds all that is an address, and
``names``, with lines "NAME PROTOCOL PORT" for what the node has to look up itself. Status 1 and a line on standard
error if the site allows nothing.
"""

import ipaddress
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PORTS = {"https": 443, "http": 80}
RULES = Path(__file__).with_name("rules.nft.in")


class Target(NamedTuple):
    """What a node may reach: a host name, or a network in CIDR form; ``protocol`` is tcp or udp."""

    host: str
    protocol: str
    port: int


def main() -> int:
    """Run the command; return its exit status."""
    site = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[2])
    targets = sorted({*url_targets(site["mirrors"]), *registry_targets(site["registries"]), *allowed_targets(site)})
    if not targets:
        message = "the site file has no mirror, no registry and no egress.allow; such a node could reach nothing"
        sys.stderr.write(f"ERROR: egress-firewall: {message}\n")
        return 1
    networks = [rule(target) for target in targets if network_of(target.host)]
    rules = RULES.read_text().replace("@DNS@", "\n        ".join(dns_rules(site["egress"]["dns"])))
    (folder / "rules.nft").write_text(rules.replace("@NETWORKS@", "\n        ".join(networks)))
    names = [f"{host} {protocol} {port}\n" for host, protocol, port in targets if not network_of(host)]
    (folder / "names").write_text("".join(sorted(names)))
    return 0


def url_targets(value: Any) -> list[Target]:
    """Return the host and port of every URL in the section ``mirrors``."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [target for item in value for target in url_targets(item)]
    url = urlsplit(value if isinstance(value, str) else "")
    if url.scheme not in PORTS or not url.hostname:
        return []
    return [Target(url.hostname, "tcp", url.port or PORTS[url.scheme])]


def registry_targets(registries: list[dict[str, Any]]) -> list[Target]:
    """Return where images come from: locations and mirrors. A prefix is only what images are called."""
    places = [place for registry in registries for place in (registry["location"], *registry["mirrors"])]
    return url_targets([f"https://{place}" for place in places])


def allowed_targets(site: dict[str, Any]) -> list[Target]:
    """Return what ``egress.allow`` adds."""
    return [
        Target((entry.get("cidr") or entry["host"]).strip("[]"), entry["protocol"], port)
        for entry in site["egress"]["allow"]
        for port in entry["ports"]
    ]


def network_of(host: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Return the network that ``host`` is, one address included, or None if it is a name."""
    try:
        return ipaddress.ip_network(host)
    except ValueError:
        return None


def rule(target: Target) -> str:
    """Return the nftables rule for a target that is a network."""
    family = "ip6" if ":" in target.host else "ip"
    return f"{family} daddr {target.host} {target.protocol} dport {target.port} accept"


def dns_rules(resolvers: list[str]) -> list[str]:
    """Return the rules for DNS: to these resolvers, or to those that the node is given."""
    addresses = {"ip": [a for a in resolvers if ":" not in a], "ip6": [a for a in resolvers if ":" in a]}
    if not resolvers:
        addresses = {"ip": ["@resolvers4"], "ip6": ["@resolvers6"]}
    return [
        f"{family} daddr {address} meta l4proto {{ tcp, udp }} th dport 53 accept"
        for family, found in addresses.items()
        for address in found
    ]


if __name__ == "__main__":
    sys.exit(main())
