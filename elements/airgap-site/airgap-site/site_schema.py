"""What a site file may say, and what it means: one function for each of its sections."""

import ipaddress
from collections.abc import Callable, Hashable
from typing import Any

from site_document import SiteError, Value
from site_rules import ID, WORD, image_path, is_address, is_host, matching, pem_file, port, registry, url

KEYRINGS = {
    "debian": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "ubuntu": "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
}
DEFAULT_SUITES = ["{release}", "{release}-updates"]
DEFAULT_PORT = 443


def normalise(document: Value, distribution: str, release: str) -> dict[str, Any]:
    """Return the site with every default filled in, as ``site.json`` has it.

    ``distribution`` and ``release`` are DISTRO_NAME and DIB_RELEASE. Raises SiteError with all mistakes of the file.
    """
    top = document.mapping(("version", "mirrors", "registries", "search_registries", "egress"))
    if not document.absent and top["version"].number() != 1:
        document.fail("version is missing or not known; write version: 1")
    mirrors = top["mirrors"].mapping(("apt", "dnf", "zypper", "pip", "npm"))
    site = {
        "version": 1,
        "mirrors": {
            "apt": [_apt(entry, distribution, release) for entry in mirrors["apt"].items()],
            "dnf": _unique(mirrors["dnf"], _rpm, "id"),
            "zypper": _unique(mirrors["zypper"], _rpm, "id"),
            "pip": _index(mirrors["pip"], "index_url"),
            "npm": _index(mirrors["npm"], "registry"),
        },
        "registries": _unique(top["registries"], _registry, "prefix"),
        "search_registries": [registry(entry) for entry in top["search_registries"].items()],
        "egress": _egress(top["egress"]),
    }
    if document.problems:
        raise SiteError([message for _, message in sorted(document.problems)])
    return site


def _apt(entry: Value, distribution: str, release: str) -> dict[str, Any]:
    values = entry.mapping(("uri", "suites", "components", "signed_by", "allow_plain_http"), required=("uri",))
    plain = values["allow_plain_http"].flag()
    suites = _words(values["suites"], DEFAULT_SUITES, release)
    return {
        "uri": url(values["uri"], plain_http=plain),
        "suites": suites,
        "components": _words(values["components"], ["main"], release),
        "signed_by": image_path(values["signed_by"]) or KEYRINGS.get(distribution, KEYRINGS["debian"]),
        "allow_plain_http": plain,
    }


def _words(value: Value, default: list[str], release: str) -> list[str]:
    """Return a list of suites or components, with ``{release}`` replaced."""
    if value.absent:
        return [word.replace("{release}", release) for word in default]
    words = []
    for item in value.items():
        text = item.text()
        word = (text or "").replace("{release}", release)
        if WORD.fullmatch(word):
            words.append(word)
        elif text is not None:
            item.fail("must be one word of letters, digits, . _ + / and -; {release} is replaced")
    if value.items() == []:
        value.fail("must not be empty; leave it out for the default")
    return words


def _rpm(entry: Value) -> dict[str, Any]:
    values = entry.mapping(
        ("id", "baseurl", "gpgkey", "repo_gpgcheck", "allow_plain_http"), required=("id", "baseurl", "gpgkey")
    )
    plain = values["allow_plain_http"].flag()
    return {
        "id": matching(values["id"], ID, "one word of letters, digits, . _ and -"),
        "baseurl": url(values["baseurl"], plain_http=plain, variables=True),
        "gpgkey": url(values["gpgkey"], file=True),
        "repo_gpgcheck": None if values["repo_gpgcheck"].absent else values["repo_gpgcheck"].flag(),
        "allow_plain_http": plain,
    }


def _index(entry: Value, key: str) -> dict[str, Any] | None:
    if entry.absent:
        return None
    values = entry.mapping((key, "allow_plain_http"), required=(key,))
    plain = values["allow_plain_http"].flag()
    return {key: url(values[key], plain_http=plain), "allow_plain_http": plain}


def _registry(entry: Value) -> dict[str, Any]:
    values = entry.mapping(("prefix", "location", "mirrors", "client_cert", "client_key"), required=("prefix",))
    prefix = registry(values["prefix"])
    if values["client_cert"].absent != values["client_key"].absent:
        entry.fail("client_cert and client_key belong together; one is missing")
    key, cert = "PRIVATE KEY", "CERTIFICATE"
    return {
        "prefix": prefix,
        "location": registry(values["location"]) or prefix,
        "mirrors": [registry(mirror) for mirror in values["mirrors"].items()],
        "client_cert": pem_file(values["client_cert"], cert, "certificate", without=key),
        "client_key": pem_file(values["client_key"], key, "private key", without=cert),
    }


def _egress(section: Value) -> dict[str, Any]:
    values = section.mapping(("dns", "allow"))
    resolvers = []
    for item in values["dns"].items():
        text = item.text()
        if text is not None and not is_address(text):
            item.fail("must be the IP address of a resolver")
        resolvers.append(text)
    return {"dns": resolvers, "allow": [_allow(entry) for entry in values["allow"].items()]}


def _allow(entry: Value) -> dict[str, Any]:
    values = entry.mapping(("host", "cidr", "ports", "protocol"))
    if values["host"].absent == values["cidr"].absent:
        entry.fail("needs either host or cidr")
    ports = [port(item) for item in values["ports"].items()]
    protocol = values["protocol"].text() or "tcp"
    if protocol not in ("tcp", "udp"):
        values["protocol"].fail("must be tcp or udp")
    host, cidr = _host(values["host"]), _network(values["cidr"])
    target = {"cidr": cidr} if cidr else {"host": host}
    return {**target, "ports": ports or [DEFAULT_PORT], "protocol": protocol}


def _host(value: Value) -> str | None:
    text = value.text()
    if text is not None and not is_host(text):
        value.fail("must be a host name in lower case or an IP address (IPv6 in square brackets), without a port")
    return text


def _network(value: Value) -> str | None:
    text = value.text()
    if text is None:
        return None
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        value.fail(f"must be a network such as 10.20.0.0/16: {error}")
        return None
    if network.prefixlen == 0:
        value.fail("is every address there is; an allow-list of that allows everything")
    return str(network)


def _unique(value: Value, read: Callable[[Value], dict[str, Any]], key: str) -> list[dict[str, Any]]:
    """Read each entry of a list; report one whose ``key`` another had before."""
    seen: set[Hashable] = set()
    entries = []
    for item in value.items():
        entry = read(item)
        if entry[key] is not None and entry[key] in seen:
            item.fail(f"{key} {entry[key]} is there twice")
        seen.add(entry[key])
        entries.append(entry)
    return entries
