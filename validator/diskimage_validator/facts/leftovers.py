"""Files that a build, an installer or a crash has left behind, and the histories of shells and tools.

Sources: diskimage-builder (lib/img-functions, element dpkg), the operations of virt-sysprep(1), dpkg(1) and rpm(8)
for the suffixes of configuration files, systemd-coredump(8), core(5).
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.reading import Sized, home_folders, names_in
from diskimage_validator.facts.scene import Scene
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_FOUND: Final = 10_000
FIXED: Final = {
    "/tmp/in_target.d": "dib",  # noqa: S108 - a folder of the image
    "/usr/sbin/policy-rc.d": "policy-rc.d",
    "/etc/apt/apt.conf.d/60img-build-proxy": "proxy",
    "/.dockerenv": "container",
    "/run/.containerenv": "container",
    "/root/anaconda-ks.cfg": "installer",
    "/root/original-ks.cfg": "installer",
    "/root/install.log": "installer",
    "/root/install.log.syslog": "installer",
}
"""Path to kind (see Leftover)."""
IN_FOLDERS: Final = (
    ("/", "core", "core"),
    ("/", "core.[0-9]*", "core"),
    ("/root", "core", "core"),
    ("/root", "core.[0-9]*", "core"),
    ("/var/crash", "*", "core"),
    ("/var/lib/systemd/coredump", "*", "core"),
    ("/var/lib/apport/coredump", "*", "core"),
    ("/var/lib/dhcp", "*.lease*", "lease"),
    ("/var/lib/dhclient", "*.lease*", "lease"),
    ("/var/lib/dhcpcd", "*.lease*", "lease"),
    ("/var/lib/NetworkManager", "*.lease", "lease"),
    ("/etc/udev/rules.d", "70-persistent-net.rules", "network"),
    ("/etc", "dib-*", "dib"),
    ("/etc", "dib_*", "dib"),
)
"""Folder, pattern of the name, kind. Folders and empty files are no leftovers, but for those of diskimage-builder."""
KEPT: Final = frozenset({"/etc/dib-manifests", "/etc/ca-certificates.conf.dpkg-old"})
"""Put there on purpose: by DIB's element ``manifests``, and by the postinst of Debian's ca-certificates, every time."""
CONFIGURATION: Final = {
    ".dpkg-new": "unfinished",
    ".dpkg-tmp": "unfinished",
    ".dpkg-dist": "undecided",
    ".ucf-dist": "undecided",
    ".rpmnew": "undecided",
    ".dpkg-old": "replaced",
    ".ucf-old": "replaced",
    ".rpmsave": "replaced",
    ".rpmorig": "replaced",
}
"""Suffix of a file below /etc to kind."""
HISTORIES: Final = (
    ".*history",
    ".*_hist",
    ".histfile",
    ".lesshst",
    ".viminfo",
    ".wget-hsts",
    ".dbshell",
    ".local/share/fish/fish_history",
    ".local/state/python/history",
    ".config/nushell/history.txt",
)
"""Files in a home that remember what somebody typed or visited, as patterns of the last component."""


@dataclass(frozen=True)
class Leftover:
    """Something left behind.

    ``kind``: ``dib``, ``policy-rc.d``, ``proxy``, ``container``, ``installer``, ``core``, ``lease``, ``network``, or
    for configuration files ``unfinished``, ``undecided``, ``replaced``.
    """

    path: str
    kind: str


@dataclass(frozen=True)
class Leftovers:
    """What was left behind, and the histories that are not empty."""

    found: tuple[Leftover, ...]
    histories: tuple[Sized, ...]


def read_leftovers(scene: Scene) -> Leftovers:
    """Return what was left behind. Raises FactError if there is too much of it."""
    found = sorted(
        {*_fixed(scene.engine), *_in_folders(scene.engine), *_configuration(scene)}, key=lambda one: one.path
    )
    if len(found) > MAX_FOUND:
        raise FactError(f"more than {MAX_FOUND} leftovers")
    return Leftovers(tuple(found), tuple(_histories(scene.engine)))


def _fixed(engine: Engine) -> Iterator[Leftover]:
    for path, kind in FIXED.items():
        if engine.lstat(path) is not None:
            yield Leftover(path, kind)


def _in_folders(engine: Engine) -> Iterator[Leftover]:
    for folder, pattern, kind in IN_FOLDERS:
        for name in names_in(engine, folder):
            path = f"{folder.rstrip('/')}/{name}"
            if not fnmatchcase(name, pattern) or path in KEPT:
                continue
            entry = engine.lstat(path)
            if entry is not None and (kind == "dib" or (entry.is_file and entry.size)):
                yield Leftover(clean_path(path), kind)


def _configuration(scene: Scene) -> Iterator[Leftover]:
    for path, entry in scene.below("/etc"):
        kind = next((kind for suffix, kind in CONFIGURATION.items() if path.endswith(suffix)), None)
        if kind and entry.is_file and path not in KEPT:
            yield Leftover(clean_path(path), kind)


def _histories(engine: Engine) -> Iterator[Sized]:
    for home in home_folders(engine):
        for pattern in HISTORIES:
            below, _, last = pattern.rpartition("/")
            folder = f"{home}/{below}".rstrip("/")
            for name in names_in(engine, folder):
                entry = engine.stat(f"{folder}/{name}") if fnmatchcase(name, last) else None
                if entry is not None and entry.is_file and entry.size:
                    yield Sized(clean_path(f"{folder}/{name}"), entry.size)
