"""Name servers: resolv.conf(5) if it is baked in, resolved.conf(5), systemd.network(5), dnsmasq(8)."""

import re
from collections.abc import Iterator
from typing import Final

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.formats.systemd_conf import list_of, parse_systemd_conf
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.sources.systemd import compiled_in, read_settings, starts

KIND: Final = "resolver"
DNSMASQ: Final = ("/etc/dnsmasq.conf", "/etc/dnsmasq.d")
NETWORKS: Final = "/etc/systemd/network"
MAX_INCLUDES: Final = 10


def read_resolver(found: Found) -> None:
    """Collect the name servers (and the time servers of networks) that the image names."""
    for number, line in enumerate((_resolv_conf(found) or "").split("\n"), start=1):
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            found.endpoint(KIND, "names", "/etc/resolv.conf", number, words[1].partition("%")[0])
    _resolved(found)
    _networks(found)
    seen: set[str] = set()
    _dnsmasq(found, DNSMASQ[0], seen)
    for name in found.names(KIND, DNSMASQ[1]):
        _dnsmasq(found, f"{DNSMASQ[1]}/{name}", seen)


def _resolv_conf(found: Found) -> str | None:
    """Return the text of resolv.conf; a link leads to a file that only the running node has."""
    try:
        entry = found.engine.lstat("/etc/resolv.conf")
    except ValidatorError:
        entry = None
    return found.text(KIND, "/etc/resolv.conf") if entry is not None and entry.is_file else None


def _resolved(found: Found) -> None:
    unit, name = "systemd-resolved.service", "resolved.conf"
    settings = read_settings(found, KIND, name)
    enabled = starts(found, unit)
    own = list_of(settings, "Resolve", "DNS") or []
    fallback = list_of(settings, "Resolve", "FallbackDNS")
    if fallback is None:
        fallback = compiled_in(found, KIND, name, "FallbackDNS", "name servers", unit)
    for server, path, line in (*own, *fallback):
        found.endpoint(KIND, "names", path, line, _address(server), enabled=enabled)


def _address(server: str) -> str:
    """Return ``address[:port]`` of ``address:port%interface#name``."""
    return server.partition("#")[0].partition("%")[0] if not server.startswith("(") else server


def _networks(found: Found) -> None:
    for path, text in found.folder(KIND, NETWORKS, ".network", ".conf"):
        for setting in parse_systemd_conf(text):
            if setting.section == "Network" and setting.key in ("DNS", "NTP"):
                kind, purpose = (KIND, "names") if setting.key == "DNS" else ("ntp", "time")
                for server in setting.value.split():
                    found.endpoint(kind, purpose, path, setting.line, _address(server))


def _dnsmasq(found: Found, path: str, seen: set[str]) -> None:
    if path in seen or len(seen) > MAX_INCLUDES * 10:
        return
    seen.add(path)
    for number, line in enumerate((found.text(KIND, path) or "").split("\n"), start=1):
        key, _, value = (part.strip() for part in line.partition("="))
        if key in ("server", "rev-server"):
            for server in _upstream(key, value):
                found.endpoint(KIND, "names", path, number, server)
        elif key == "conf-file":
            _dnsmasq(found, value, seen)
        elif key == "conf-dir":
            folder = value.partition(",")[0]
            for name in found.names(KIND, folder):
                _dnsmasq(found, f"{folder}/{name}", seen)


def _upstream(key: str, value: str) -> Iterator[str]:
    """Yield ``address[:port]`` of ``[/domain/]address[#port][@interface]``; a domain alone is answered locally."""
    if key == "rev-server":
        value = value.partition(",")[2]
    server = re.split(r"[\s@]", value.rpartition("/")[2])[0]
    address, _, port = server.partition("#")
    if address:
        host = f"[{address}]" if ":" in address else address
        yield f"{host}:{port}" if port.isdigit() else address
