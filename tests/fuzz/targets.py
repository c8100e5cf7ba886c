"""The table of everything that can be fuzzed."""

import io
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Final

from diskimage_validator import facts, pem
from diskimage_validator.certificates import fingerprints, parse_certificates
from diskimage_validator.endpoints import parse_address
from diskimage_validator.engines.direct.blocks import window
from diskimage_validator.engines.direct.fat import FatFilesystem
from diskimage_validator.engines.direct.lvm import read_lvm
from diskimage_validator.engines.direct.partitions import read_table
from diskimage_validator.engines.direct.storage import FileSystem
from diskimage_validator.errors import PolicyError, UsageError
from diskimage_validator.facts import openpgp
from diskimage_validator.facts.brought_files import Notes
from diskimage_validator.facts.elf_dynamic import parse_dynamic
from diskimage_validator.facts.library_paths import parse_cache
from diskimage_validator.facts.rpm_brought import add_files
from diskimage_validator.facts.rpm_database import _package
from diskimage_validator.facts.rpm_header import NAME, Header
from diskimage_validator.image_file import _inspect_header
from diskimage_validator.policy import parse_policy, shipped_policies, shipped_text
from diskimage_validator.policy_files import parse_chain
from diskimage_validator.versions import compare
from tests.fuzz import evidence, seeds
from tests.fuzz.target import LARGE, Target, of_fact
from tests.support import ext_images, images, lvm_disk, node
from tests.support.asking import facts_of
from tests.support.elf_files import LOADER, library, linked
from tests.support.memory_engine import Entry

RHEL: Final[dict[str, Entry]] = {"/usr/lib/os-release": "ID=rocky\nVERSION_ID=9.4\n"}
SUSE: Final[dict[str, Entry]] = {"/usr/lib/os-release": "ID=sles\nVERSION_ID=15.6\n"}
LINKED: Final[dict[str, Entry]] = {
    **images.debian(),
    LOADER: images.program(library("ld-linux-x86-64.so.2")),
    "/usr/bin/podman": images.program(linked("liba.so")),
}
CLOUD_INIT: Final[dict[str, Entry]] = {
    **images.debian(),
    "/usr/bin/growpart": images.program(),
    "/usr/lib/systemd/system/cloud-init.service": "",
    "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": "",
}
NODE: Final[dict[str, Entry]] = {
    **node.tree(),
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nzuul:x:1000:1000::/home/zuul:/bin/bash\n",
    "/etc/group": "root:x:0:\nzuul:x:1000:\ndocker:x:998:zuul\n",
    "/etc/shadow": "root:*:19000:0:99999:7:::\nzuul:!:19000::::::\n",
}
BLS: Final[dict[str, Entry]] = {path: entry for path, entry in NODE.items() if "/grub" not in path}
BROUGHT: Final[dict[str, Entry]] = {
    images.STATUS: images.stanza("tool") + "Conffiles:\n /etc/tool.conf 0123456789abcdef0123456789abcdef\n",
    "/var/lib/dpkg/info/tool.md5sums": "0123456789abcdef0123456789abcdef  usr/bin/tool\n",
    "/var/lib/dpkg/info/tool.list": "/.\n/usr/bin/tool\n",
    "/usr/bin/jq": images.program(),
}
"""A package of which no file is there, so that every reason for that is looked for."""
CERTIFI: Final = "/usr/lib/python3/dist-packages/certifi"

_TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "os": ("/usr/lib/os-release",),
    "packages": ("/var/lib/dpkg/status", "/var/lib/dpkg/arch"),
    "apt_indices": ("/var/lib/apt/lists/mirror.internal_debian_dists_stable_main_binary-amd64_Packages",),
    "growth": ("/etc/fstab",),
    "identity": ("/etc/machine-id", "/etc/iscsi/initiatorname.iscsi"),
    "python": (
        "/usr/lib/python3/dist-packages/x-1.dist-info/METADATA",
        "/usr/lib/python3/dist-packages/x.egg-info/PKG-INFO",
        "/opt/venv/pyvenv.cfg",
    ),
    "ca_stores": ("/etc/buildkit/buildkitd.toml", "/etc/ca-certificates.conf", f"{CERTIFI}/core.py"),
    "ca_settings": (
        "/etc/environment",
        "/etc/environment.d/10-ca.conf",
        "/etc/profile.d/ca.sh",
        "/etc/security/pam_env.conf",
        "/etc/crontab",
        "/etc/gitconfig",
        "/etc/pip.conf",
        "/root/.npmrc",
        "/root/.curlrc",
        "/root/.condarc",
        "/etc/wgetrc",
        "/etc/systemd/system.conf",
        "/etc/systemd/system/docker.service",
    ),
    "endpoints": (
        "/etc/apt/sources.list",
        "/etc/apt/sources.list.d/a.sources",
        "/etc/apt/apt.conf",
        "/etc/yum.repos.d/a.repo",
        "/etc/dnf/dnf.conf",
        "/etc/zypp/repos.d/a.repo",
        "/etc/zypp/zypp.conf",
        "/etc/pip.conf",
        "/etc/npmrc",
        "/root/.yarnrc",
        "/root/.yarnrc.yml",
        "/etc/gitconfig",
        "/etc/docker/daemon.json",
        "/etc/containers/registries.conf",
        "/etc/buildkit/buildkitd.toml",
        "/etc/chrony/chrony.conf",
        "/etc/ntp.conf",
        "/etc/systemd/timesyncd.conf",
        "/etc/systemd/resolved.conf",
        "/etc/systemd/system/docker.service.d/proxy.conf",
        "/etc/dnsmasq.conf",
        "/etc/resolv.conf",
        "/etc/environment",
    ),
    "containers": (
        "/etc/containers/registries.conf",
        "/etc/containers/registries.conf.d/50-a.conf",
        "/etc/containers/policy.json",
        "/etc/containers/storage.conf",
        "/etc/containers/containers.conf",
        "/etc/docker/daemon.json",
        "/etc/buildkit/buildkitd.toml",
        "/etc/group",
    ),
    "secrets": (
        "/etc/passwd",
        "/etc/ssl/private/a.key",
        "/root/.netrc",
        "/root/.docker/config.json",
        "/root/.pgpass",
        "/root/.aws/credentials",
        "/root/.git-credentials",
        "/var/cache/debconf/passwords.dat",
        "/etc/environment",
    ),
    "resolv_conf": ("/etc/resolv.conf",),
    "leftovers": ("/etc/passwd",),
    "provenance": ("/etc/image-provenance.json",),
}
"""Fields of Facts to the files of text that they read."""
_LISTS: Final = (
    images.STATUS,
    "/var/lib/dpkg/info/tool.md5sums",
    "/var/lib/dpkg/info/tool.list",
    "/var/lib/dpkg/diversions",
    "/etc/dpkg/dpkg.cfg",
)
"""What dpkg notes of files, and what it was told to leave out."""
_NODE_TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "services": (
        "/etc/systemd/system/ssh.service",
        "/etc/systemd/system/ssh.service.d/a.conf",
        "/etc/systemd/system-preset/00-a.preset",
    ),
    "boot": ("/etc/fstab", "/boot/grub/grub.cfg", "/boot/grub/grubenv"),
    "accounts": ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid"),
    "sudo": ("/etc/sudoers", "/etc/sudoers.d/a"),
    "ssh": ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/a.conf", node.KEYS),
}
"""The same of facts that are about a whole node."""


def _certificates(data: bytes) -> Any:
    return [asdict(parse_certificates(data)), list(fingerprints(data)), pem.private_keys(data)]


def _chain(data: bytes) -> Any:
    return [len(der) for der in parse_chain(data, "chain")]


def _policy(data: bytes) -> Any:
    """A policy may extend another one and name files, so it lies in an empty folder."""
    try:
        return parse_policy(data.decode("utf-8", "replace"), "fuzz", Path("/nonexistent")).rules
    except (PolicyError, UsageError) as error:
        error.message.encode()
        return None


def _policies() -> Iterable[bytes]:
    return (shipped_text(name).encode() for name in shipped_policies())


def _replay(data: bytes) -> Any:
    return facts.dump(facts.replay(data))


def _dumped() -> Iterable[bytes]:
    yield facts._adapter().dump_json(facts_of(images.debian(), disk=images.disk()))


def _versions(data: bytes) -> Any:
    """Compare two versions, which a line feed separates, for one of the managers."""
    manager = "rpm" if data[:1] == b"r" else "dpkg"
    version, _, other = data[1:].decode("utf-8", "replace").partition("\n")
    order = compare(manager, version, other)
    assert order == -compare(manager, other, version)
    return order


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm")) / "image"


def _image(data: bytes) -> Any:
    path = _scratch()
    path.write_bytes(data)
    return _inspect_header(path, None)


def _ext(data: bytes) -> int:
    """Read all there is in an ext file system."""
    return _read_all(ext_images.opened(data))


def _fat(data: bytes) -> int:
    """Read all there is in a vfat."""
    system = FatFilesystem(window(lambda offset, length: data[offset : offset + length], 0, len(data)), len(data))
    _read_all(system)
    return system.free


def _read_all(system: FileSystem) -> int:
    """Read all there is, but no more than a sound file system of this size can have."""
    pending, seen = ["/"], 0
    while pending and seen < 1000:
        folder = pending.pop()
        for name, entry in system.scan(folder):
            seen += 1
            path = f"{folder.rstrip('/')}/{name}"
            if entry.is_dir:
                pending.append(path)
            elif entry.is_link:
                system.readlink(path)
            elif entry.is_file:
                system.read_file(path, max(entry.size - LARGE, 0), LARGE)
    return seen


def _lvm(data: bytes) -> Any:
    """Read a physical volume with this text as its metadata, under right checksums."""
    head = lvm_disk.physical_volume(data)
    size = 64 << 20
    found = read_lvm(window(lambda offset, length: bytes(head[offset : offset + length]), 0, size), size)
    return [asdict(volume) for volume in found]


def _partitions(data: bytes) -> Any:
    table = read_table(window(lambda offset, length: data[offset : offset + length], 0, len(data)), len(data))
    return [asdict(slot) for slot in table.slots]


def _rpm_header(data: bytes) -> Any:
    header = Header(data)
    notes = Notes()
    add_files(header, header.text(NAME), notes)
    return [_package(header.text(NAME), header), len(notes.files)]


_FUNCTIONS: Final = (
    Target("address", lambda data: str(parse_address(data.decode("utf-8", "replace")))),
    Target("certificates", _certificates, seeds=seeds.pem),
    Target("chain", _chain, seeds=seeds.chain),
    Target("elf", lambda data: parse_dynamic(io.BytesIO(data)).machine, seeds=seeds.elf),
    Target("ext", _ext, limit=seeds.SMALLEST_EXT, seeds=seeds.ext),
    Target("facts-replay", _replay, limit=LARGE, seeds=_dumped),
    Target("fat", _fat, limit=seeds.SMALLEST_FAT, seeds=seeds.fat),
    Target("image-header", _image, seeds=seeds.disk_images),
    Target("envelope", evidence.envelope, seeds=evidence.envelope_seeds),
    Target("json-report", evidence.report, limit=LARGE, seeds=evidence.report_seeds),
    Target("loader-cache", lambda data: len(parse_cache(data)), seeds=seeds.loader_cache),
    Target("lvm", _lvm, seeds=seeds.lvm),
    Target("openpgp", openpgp.issuer, seeds=seeds.openpgp),
    Target("partitions", _partitions, limit=LARGE, seeds=seeds.partitions),
    Target("policy", _policy, seeds=_policies),
    Target("rpm-header", _rpm_header, seeds=seeds.rpm_headers),
    Target("statement", evidence.statement, seeds=evidence.statement_seeds),
    Target("versions", _versions),
)
_BINARIES: Final = (
    of_fact("libraries", "/usr/bin/podman", seeds=seeds.elf),
    of_fact("libraries", "/etc/ld.so.cache", base=LINKED, seeds=seeds.loader_cache),
    of_fact("commands", "/usr/bin/podman", seeds=seeds.elf),
    of_fact("trust", images.BUNDLE, seeds=seeds.pem),
    of_fact("trust", "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit", base=RHEL, seeds=seeds.p11_kit),
    of_fact("ca_stores", images.BUNDLE, seeds=seeds.pem),
    of_fact("ca_stores", "/etc/ssl/certs/0a1b2c3d.0", seeds=seeds.pem),
    of_fact("ca_stores", "/etc/pki/ca-trust/extracted/openssl/ca-bundle.trust.crt", base=RHEL, seeds=seeds.pem),
    of_fact("ca_stores", "/etc/pki/ca-trust/extracted/edk2/cacerts.bin", base=RHEL, seeds=seeds.edk2),
    of_fact("ca_stores", "/etc/pki/java/cacerts", base=RHEL, seeds=seeds.keystores),
    of_fact("ca_stores", "/etc/pki/nssdb/cert9.db", limit=LARGE, seeds=seeds.nss),
    of_fact("ca_stores", f"{CERTIFI}/cacert.pem", seeds=seeds.pem),
    of_fact("ca_stores", "/etc/containers/certs.d/registry.internal/ca.crt", seeds=seeds.pem),
    of_fact("ca_stores", "/etc/pki/ca-trust/source/a.p11-kit", base=RHEL, seeds=seeds.p11_kit),
    of_fact("packages", "/var/lib/rpm/rpmdb.sqlite", base=RHEL, limit=LARGE, seeds=seeds.rpm_sqlite),
    of_fact("packages", "/usr/lib/sysimage/rpm/Packages.db", base=SUSE, limit=LARGE, seeds=seeds.rpm_ndb),
    of_fact("packages", "/var/lib/rpm/Packages", base=RHEL, limit=LARGE, seeds=seeds.rpm_bdb),
)
TARGETS: Final[dict[str, Target]] = {
    target.name: target
    for target in (
        *_FUNCTIONS,
        *_BINARIES,
        *(of_fact(fact, path) for fact in _TEXTS for path in _TEXTS[fact]),
        *(of_fact(fact, path, base=NODE) for fact in _NODE_TEXTS for path in _NODE_TEXTS[fact]),
        *(of_fact("package_files", path, base=BROUGHT) for path in _LISTS),
        of_fact("growth", "/etc/cloud/cloud.cfg", base=CLOUD_INIT),
        of_fact("boot", "/boot/extlinux/extlinux.conf", base=BLS),
        of_fact("boot", "/boot/loader/entries/a.conf", base=BLS),
    )
}
"""What can be fuzzed, by name."""
