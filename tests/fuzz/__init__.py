"""The parsers of what a hostile image may hold, each fed with bytes in one of its files.

A reader of facts may say no (a ValidatorError) or give a fact; anything else is a bug, and so is a fact that cannot be
written as JSON in UTF-8. ``python -m tests.fuzz NAME`` searches with atheris; what it finds worth keeping lies in
``corpus/NAME`` and is replayed by every run of the unit tests.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import FACTS
from diskimage_validator.facts.scene import Scene
from tests.support import images
from tests.support.memory_engine import Entry, File, MemoryEngine

CORPUS: Final = Path(__file__).parent / "corpus"
MAX_INPUT: Final = 4096
"""Bytes of one input: enough for every state of these parsers, and small enough to be kept."""
_JSON: Final = TypeAdapter[Any](Any)
_DEBIAN: Final = images.debian()


@dataclass(frozen=True)
class Target:
    """The reader of the field ``fact`` of Facts, with the input at ``path`` of a small tree."""

    fact: str
    path: str
    family: str = "debian"

    @property
    def name(self) -> str:
        """Name of its folder in the corpus."""
        return f"{self.fact}{self.path.replace('/', '-')}"

    def tree(self, data: bytes) -> dict[str, Entry]:
        """Return a tree of the target's family with ``data`` at its path."""
        base = _DEBIAN if self.family == "debian" else {"/usr/lib/os-release": f"ID={self.family}\n"}
        return {**base, self.path: File(data, 0o755)}

    def feed(self, data: bytes) -> None:
        """Read the fact with ``data`` in place. Raises for every bug."""
        engine = MemoryEngine(self.tree(data), disk=images.disk())
        try:
            fact = FACTS[self.fact].read(Scene(engine, FACTS))
        except ValidatorError as error:
            error.message.encode()
            return
        json.dumps(_JSON.dump_python(fact, mode="json")).encode()

    def corpus(self) -> Iterator[Path]:
        """Yield the inputs that are kept."""
        yield from sorted((CORPUS / self.name).glob("*"))


_PATHS: Final[dict[str, tuple[str, ...]]] = {
    "os": ("/usr/lib/os-release",),
    "packages": ("/var/lib/dpkg/status",),
    "apt_indices": ("/var/lib/apt/lists/mirror.internal_debian_dists_stable_main_binary-amd64_Packages",),
    "libraries": ("/usr/bin/podman",),
    "python": ("/usr/lib/python3/dist-packages/x-1.dist-info/METADATA", "/opt/venv/pyvenv.cfg"),
    "trust": (images.BUNDLE,),
    "ca_stores": (
        images.BUNDLE,
        "/etc/ssl/certs/java/cacerts",
        "/etc/pki/nssdb/cert9.db",
        "/etc/pki/ca-trust/extracted/edk2/cacerts.bin",
        "/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt",
        "/etc/pki/ca-trust/source/a.p11-kit",
        "/etc/ca-certificates.conf",
        "/opt/venv/certifi/core.py",
        "/etc/containers/certs.d/registry.internal/ca.crt",
        "/etc/buildkit/buildkitd.toml",
    ),
    "ca_settings": (
        "/etc/environment",
        "/etc/profile.d/ca.sh",
        "/etc/gitconfig",
        "/etc/pip.conf",
        "/root/.npmrc",
        "/root/.curlrc",
        "/etc/wgetrc",
        "/etc/systemd/system.conf",
    ),
    "endpoints": (
        "/etc/apt/sources.list",
        "/etc/apt/sources.list.d/a.sources",
        "/etc/apt/apt.conf",
        "/etc/yum.repos.d/a.repo",
        "/etc/zypp/repos.d/a.repo",
        "/etc/pip.conf",
        "/etc/npmrc",
        "/etc/gitconfig",
        "/etc/docker/daemon.json",
        "/etc/containers/registries.conf",
        "/etc/buildkit/buildkitd.toml",
        "/etc/chrony/chrony.conf",
        "/etc/systemd/timesyncd.conf",
        "/etc/systemd/resolved.conf",
        "/etc/resolv.conf",
        "/etc/environment",
    ),
    "containers": (
        "/etc/containers/registries.conf",
        "/etc/containers/policy.json",
        "/etc/containers/storage.conf",
        "/etc/containers/containers.conf",
        "/etc/docker/daemon.json",
    ),
    "secrets": ("/etc/ssl/private/a.key", "/root/.netrc", "/root/.docker/config.json", "/etc/environment"),
    "resolv_conf": ("/etc/resolv.conf",),
    "identity": ("/etc/machine-id", "/etc/iscsi/initiatorname.iscsi"),
    "leftovers": ("/etc/passwd",),
    "provenance": ("/etc/image-provenance.json",),
}
TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in [
        *(Target(fact, path) for fact, paths in _PATHS.items() for path in paths),
        *(
            Target("packages", path, "fedora")
            for path in ("/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages.db", "/var/lib/rpm/Packages")
        ),
    ]
}
"""What can be fuzzed, by name."""
