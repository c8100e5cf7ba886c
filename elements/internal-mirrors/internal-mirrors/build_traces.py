"""What a build must not leave in its image: the hosts of its mirrors, its proxies, and passwords.

Where the build came from is read from its environment: every variable that is named after a mirror, a proxy, an index,
a registry or sources, and the files that such a variable names. Hosts that the site file names may stay. So may what a
Debian package wrote into its configuration file, if nobody changed it: that did not come from the build.
"""

import argparse
import base64
import hashlib
import json
import mmap
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

VARIABLE = re.compile(r"(?i)mirror|(?<!no_)proxy|index_url|registry|repos|sources")
URL = re.compile(r"://(?:([^@/\s\"']*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]+))?")
BARE_PROXY = re.compile(r"(?:([^@/\s]*)@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]+)/?")
HOST = re.compile(r"()(\[[0-9a-f:.]+\]|[a-z0-9.-]+)")
SITE_KEYS = {
    "uri", "baseurl", "gpgkey", "index_url", "registry", "prefix", "location", "mirrors", "search_registries", "host",
}  # fmt: skip
LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}
SEARCHED = ("etc", "root", "home", "opt", "usr/local", "var/cache", "var/lib/apt", "var/lib/dnf", "var/lib/zypp")
# DIB puts the image's own back after the last hook.
SKIPPED = {"etc/resolv.conf"}
MAX_LINES = 20
MAX_NAMED_FILE = 1 << 20


@dataclass(frozen=True)
class Trace:
    """Something to look for: ``what`` it is, for people, and the ``pattern`` of its bytes."""

    what: str
    pattern: re.Pattern[bytes]


def main(arguments: list[str]) -> int:
    """Run the command with the build's environment on standard input; return the exit status."""
    parser = argparse.ArgumentParser(prog="leftovers")
    parser.add_argument("--mirrors-may-stay", action="store_true")
    parser.add_argument("site", type=Path)
    parser.add_argument("root", type=Path)
    options = parser.parse_args(arguments)
    pairs = sys.stdin.buffer.read().decode(errors="surrogateescape").split("\0")
    environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
    traces = list(traces_of(environment, hosts_of(json.loads(options.site.read_text())), options.mirrors_may_stay))
    found = list(search(options.root, traces))
    for line in found[:MAX_LINES]:
        sys.stderr.write(f"ERROR: internal-mirrors: {line}\n")
    if len(found) > MAX_LINES:
        sys.stderr.write(f"ERROR: internal-mirrors: and {len(found) - MAX_LINES} more\n")
    return 1 if found else 0


def hosts_of(site: Any) -> set[str]:
    """Return every host that a normalised site file names, registries and egress included."""
    if isinstance(site, list):
        return {host for value in site for host in hosts_of(value)}
    if not isinstance(site, dict):
        return set()
    hosts = {host for value in site.values() for host in hosts_of(value)}
    for key in SITE_KEYS & site.keys():
        for text in site[key] if isinstance(site[key], list) else [site[key]]:
            match = URL.search(text) or HOST.match(text) if isinstance(text, str) else None
            hosts |= {match[2]} if match else set()
    return hosts


def traces_of(environment: Mapping[str, str], own: set[str], mirrors_may_stay: bool) -> Iterator[Trace]:
    """Yield what the build of this environment may have left; ``own`` are hosts that the image may know."""
    sources: dict[tuple[str, str], list[str]] = {}
    for name, value in sorted(environment.items()):
        if VARIABLE.search(name) and value:
            for kind, pattern in set(_patterns(name, value, own, mirrors_may_stay)):
                sources.setdefault((kind, pattern), []).append(name)
    for (kind, pattern), names in sources.items():
        yield Trace(f"{kind} ({', '.join(names)})", re.compile(pattern.encode(errors="surrogateescape"), re.IGNORECASE))


def _patterns(name: str, value: str, own: set[str], mirrors_may_stay: bool) -> Iterator[tuple[str, str]]:
    """Yield kind and regular expression of everything to look for because of one variable."""
    proxy = name.lower().endswith("_proxy")
    for text in [value, *_named_files(value)]:
        bare = BARE_PROXY.fullmatch(text) if proxy else None
        for match in [bare] if bare else URL.finditer(text):
            user_info, host, port = match[1], match[2].lower(), match[3]
            if user_info:
                yield "a password of the build", _secret(user_info)
            pattern = _host(host, port)
            if pattern and host not in own and (proxy or not mirrors_may_stay):
                yield f"the build's {'proxy' if proxy else 'mirror'}", pattern


def _named_files(value: str) -> Iterator[str]:
    """Yield the text of the file, or of the files in the folder, whose path ``value`` is."""
    path = Path(value)
    if not value.startswith("/") or "\n" in value or len(value) > 4096:
        return
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if file.is_file() and file.stat().st_size <= MAX_NAMED_FILE:
            yield file.read_text(errors="replace")


def _secret(user_info: str) -> str:
    """Return what matches ``user:password`` of a URL, or the password alone, in the forms that files have it."""
    password = user_info.partition(":")[2]
    forms = {f"{user_info}@", base64.b64encode(unquote(user_info).encode()).decode()}
    if len(password) >= 6:  # a shorter one is part of other words
        forms |= {password, unquote(password)}
    return "|".join(re.escape(form) for form in sorted(forms))


def _host(host: str, port: str | None) -> str:
    """Return what matches a host, and neither a longer name nor a word that only looks like it; may be empty."""
    escaped = re.escape(host)
    with_port = rf"(?<![A-Za-z0-9.-]){escaped}:{port}(?![0-9])" if port else ""
    end = r"(?![A-Za-z0-9-]|\.[A-Za-z0-9])"
    if host in LOOPBACK:
        return with_port
    if "." in host or host.startswith("["):
        return rf"(?<![A-Za-z0-9.-]){escaped}{end}"
    # One word, which may stand for something else: only where it is a host.
    return rf"(?://|@){escaped}{end}" + (f"|{with_port}" if port else "")


def search(root: Path, traces: list[Trace]) -> Iterator[str]:
    """Yield a line of text for each trace in the names and contents of files, without what it says there."""
    packaged = conffiles(root)
    for area in SEARCHED:
        if (root / area).is_symlink():  # os.walk would follow it, to the host
            continue
        for folder, folders, files in os.walk(root / area):
            folders.sort()
            for path in (Path(folder) / name for name in sorted([*folders, *files])):
                shown = str(path.relative_to(root))
                if shown in SKIPPED:
                    continue
                for trace in traces:
                    if trace.pattern.search(os.fsencode(path.name)):
                        yield f"/{shown}: the name holds {trace.what}"
                if path.is_file() and not path.is_symlink() and path.stat().st_size:
                    hits = list(_search_file(path, f"/{shown}", traces))
                    if hits and packaged.get(f"/{shown}") != hashlib.md5(path.read_bytes()).hexdigest():  # noqa: S324
                        yield from hits


def conffiles(root: Path) -> dict[str, str]:
    """Return path and MD5 of the configuration files as their Debian packages brought them (deb-conffiles(5))."""
    status = root / "var/lib/dpkg/status"
    text = status.read_text(errors="replace") if status.is_file() and not status.is_symlink() else ""
    return dict(re.findall(r"(?m)^ (/\S+) ([0-9a-f]{32})(?: obsolete)?$", text))


def _search_file(path: Path, shown: str, traces: list[Trace]) -> Iterator[str]:
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for trace in traces:
            match = trace.pattern.search(content)
            if match:
                line = content[: match.start()].count(b"\n") + 1
                yield f"{shown}:{line}: holds {trace.what}"
