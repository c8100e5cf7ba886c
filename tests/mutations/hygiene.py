"""Defects of hygiene, of single files, of the disk, and of the record of the build."""

import json
import stat
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from diskimage_validator.engines.base import Partition, Stat
from diskimage_validator.facts.packages import read_packages
from diskimage_validator.facts.provenance import PATH as RECORD
from diskimage_validator.facts.trust_store import read_trust_store
from tests.support import pki
from tests.support.mutations import Changed, Draft, Mutation

MATCHES: dict[str, Any] = {"provenance": {"matches": True}}
RULES: dict[str, Any] = {
    "hygiene": {
        "ssh_host_keys": True,
        "machine_id": True,
        "private_keys": True,
        "credentials": True,
        "history": True,
        "cloud_init": True,
        "leftovers": True,
        "resolv_conf": True,
        "max_cache_size": "1 MiB",
        "max_log_size": "1 KiB",
        "file_modes": True,
    },
    "files": {
        "required": [
            {"path": "/etc/passwd", "mode": "0644", "owner": "root:root"},
            {"path": "/usr/bin/sudo", "owner": "root"},
        ],
        "absent": ["/etc/nologin", "/opt/**/*.iso"],
    },
}
RULES_DEB: dict[str, Any] = {
    "disk": {
        "format": "qcow2",
        "compat": ["1.1"],
        "compression": ["zlib", "zstd"],
        "max_used": "4 GiB",
        "min_free": "100 MiB",
        "min_free_inodes": 10_000,
        "clean": True,
        "grows_to": "80 GB",
    },
}

RANDOM_SEED = "/var/lib/systemd/random-seed"
ISCSI = "/etc/iscsi/initiatorname.iscsi"
DOCKER = '{"auths": {"registry.internal:5000": {"auth": "dTpw"}}}'


def written(path: str, content: bytes | str = "x", mode: int = 0o644) -> Callable[[Draft], None]:
    """Write a file that was not there."""
    return lambda draft: draft.write(path, content, mode=mode)


def found(name: str, check: str, path: str, content: bytes | str = "x", family: str = "both") -> Mutation:
    """Return the defect of a file whose path is the subject of the one finding."""
    return Mutation(f"hygiene-{name}", family, written(path, content), frozenset({(check, path)}))


def disk(name: str, subject: str, check: str, **changes: Any) -> Mutation:
    """Return a defect of the disk."""
    return Mutation(f"disk-{name}", "deb", lambda draft: draft.change_disk(**changes), frozenset({(check, subject)}))


def root(name: str, subject: str, check: str, **changes: Any) -> Mutation:
    """Return a defect of the root file system."""

    def change(draft: Draft) -> None:
        whole = draft.disk()
        assert whole is not None
        filesystems = tuple(replace(one, **changes) if one.mountpoint == "/" else one for one in whole.filesystems)
        draft.change_disk(filesystems=filesystems)

    return Mutation(f"disk-{name}", "deb", change, frozenset({(check, subject)}))


def swap_behind(draft: Draft) -> None:
    """Put a swap partition behind the others."""
    whole = draft.disk()
    assert whole is not None
    assert whole.partitions
    last = whole.partitions[-1]
    swap = Partition("/dev/sda9", last.number + 1, last.start + last.size, 1024**3, "82")
    draft.change_disk(partitions=(*whole.partitions, swap))


def device(draft: Draft) -> None:
    """Make a block device outside /dev."""
    draft._put("/opt/disk", Changed(Stat(stat.S_IFBLK | 0o660, 0, 6, 0, 0)))


def identities(draft: Draft) -> None:
    """Leave a random seed, and nothing else of that kind."""
    if draft.exists(ISCSI):
        draft.write(ISCSI, "GenerateName=yes\n")
    draft.write(RANDOM_SEED, b"\1" * 32)


def record(changes: dict[str, str], *authorities: str) -> Callable[[Draft], None]:
    """Write the record of what is there, but for the versions in ``changes`` and with further ``authorities``."""

    def change(draft: Draft) -> None:
        packages = read_packages(draft, "debian").installed
        listed = [replace(one, version=changes.get(one.name, one.version)) for one in packages]
        content = {
            "schema_version": 1,
            "distribution": "debian",
            "release": "bookworm",
            "architecture": "amd64",
            "source_date_epoch": None,
            "elements": [],
            "mirrors": {},
            "trusted_ca_sha256": [*(ca.sha256 for ca in read_trust_store(draft, "debian").added), *authorities],
            "packages": [
                {"name": one.name, "version": one.version, "architecture": one.architecture} for one in listed
            ],
        }
        draft.write(RECORD, json.dumps(content))

    return change


MUTATIONS: list[Mutation] = [
    found("ssh-host-key", "hygiene-ssh-host-keys", "/etc/ssh/ssh_host_ed25519_key", pki.private_key("host")),
    Mutation(
        "hygiene-machine-id",
        "both",
        lambda draft: draft.write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        frozenset({("hygiene-machine-id", "/etc/machine-id")}),
    ),
    Mutation(
        "hygiene-dbus-machine-id",
        "deb",
        lambda draft: draft.write("/var/lib/dbus/machine-id", "0123456789abcdef0123456789abcdef\n"),
        frozenset({("hygiene-machine-id", "/var/lib/dbus/machine-id")}),
    ),
    Mutation(
        "hygiene-random-seed",
        "both",
        identities,
        frozenset({("hygiene-identities", RANDOM_SEED)}),
        rules={"hygiene": {"identities": True}},
    ),
    Mutation(
        "hygiene-initiator-name",
        "both",
        lambda draft: draft.write(ISCSI, "InitiatorName=iqn.2026-01.org.example:01:abc\n"),
        frozenset({("hygiene-identities", ISCSI)}),
        rules={"hygiene": {"identities": True}},
    ),
    found("private-key", "hygiene-private-keys", "/opt/app/tls.key", pki.private_key("app")),
    found("snakeoil", "hygiene-private-keys", "/etc/ssl/private/ssl-cert-snakeoil.key", pki.private_key("snakeoil")),
    found("registry-login", "hygiene-credentials", "/root/.docker/config.json", DOCKER),
    found("netrc", "hygiene-credentials", "/root/.netrc", "machine mirror.internal login u password x\n"),
    found("apt-auth", "hygiene-credentials", "/etc/apt/auth.conf.d/x.conf", "machine m login u password x\n", "deb"),
    found("dib-environment", "hygiene-credentials", "/etc/dib-manifests/x", 'declare -x DIB_X_PASSWORD="x"\n'),
    found("variable", "hygiene-credentials", "/etc/profile.d/x.sh", "export DEPLOY_TOKEN=abc\n"),
    found("bash-history", "hygiene-history", "/root/.bash_history", "reboot\n"),
    found("instance", "hygiene-cloud-init", "/var/lib/cloud/instances/i-1/user-data.txt"),
    found("seed", "hygiene-cloud-init", "/var/lib/cloud/seed/nocloud/meta-data"),
    found("policy-rc.d", "hygiene-leftovers", "/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", "deb"),
    found("core-dump", "hygiene-leftovers", "/var/lib/systemd/coredump/core.x.zst"),
    found("rpmsave", "hygiene-leftovers", "/etc/x.conf.rpmsave", family="rpm"),
    found("resolv-conf-original", "hygiene-resolv-conf", "/etc/resolv.conf.ORIG"),
    found("temporary-file", "hygiene-caches", "/var/tmp/get-pip.py"),
    Mutation(
        "hygiene-package-cache",
        "deb",
        written("/var/cache/apt/archives/x.deb", b"x" * 2 * 1024**2),
        frozenset({("hygiene-caches", "/var/cache/apt")}),
    ),
    Mutation(
        "hygiene-pip-cache",
        "both",
        written("/root/.cache/pip/http/x", b"x" * 2 * 1024**2),
        frozenset({("hygiene-caches", "/root/.cache")}),
    ),
    found("log", "hygiene-logs", "/var/log/dpkg.log", b"x" * 2000),
    found("journal", "hygiene-logs", "/var/log/journal/0123/system.journal", b"x" * 8192),
    Mutation(
        "hygiene-setuid",
        "both",
        written("/usr/local/bin/rootsh", "x", 0o4755),
        frozenset({("hygiene-file-modes", "/usr/local/bin/rootsh")}),
    ),
    Mutation(
        "hygiene-world-writable",
        "both",
        lambda draft: draft.mkdir("/opt/shared", mode=0o777),
        frozenset({("hygiene-file-modes", "/opt/shared")}),
    ),
    Mutation("hygiene-device", "both", device, frozenset({("hygiene-file-modes", "/opt/disk")})),
    Mutation(
        "files-mode",
        "both",
        lambda draft: draft.chmod("/etc/passwd", 0o664),
        frozenset({("files", "/etc/passwd")}),
    ),
    Mutation("files-absent", "both", written("/opt/media/x.iso"), frozenset({("files", "/opt/media/x.iso")})),
    disk("not-compressed", "compression", "disk-format", compression="none"),
    disk("old-qcow2", "qcow2 version", "disk-format", compat="0.10"),
    Mutation(
        "disk-too-large",
        "deb",
        lambda draft: draft.change_disk(virtual_size=100 * 1000**3),
        frozenset({("disk-growth", "flavor's disk"), ("disk", "virtual size")}),
    ),
    Mutation("disk-swap-behind", "deb", swap_behind, frozenset({("disk-growth", "root partition")})),
    root("not-clean", "state of /", "disk", clean=False),
    root("full", "free space of the root file system", "disk", free=1024**2),
    root("no-inodes", "free inodes of the root file system", "disk", free_inodes=10),
    Mutation(
        "disk-no-growpart",
        "deb",
        lambda draft: draft.remove("/usr/bin/growpart"),
        frozenset({("disk-growth", "growing the partition")}),
    ),
    Mutation(
        "disk-no-resizefs",
        "deb",
        written("/etc/cloud/cloud.cfg.d/99-x.cfg", "resize_rootfs: false\n"),
        frozenset({("disk-growth", "growing the file system")}),
    ),
    Mutation("provenance-damaged", "both", written(RECORD, "{"), frozenset({("provenance", "record")}), MATCHES),
    Mutation("provenance-package", "deb", record({"jq": "0"}), frozenset({("provenance", "jq:amd64")}), MATCHES),
    Mutation("provenance-ca", "deb", record({}, "0" * 64), frozenset({("provenance", f"sha256 {'0' * 64}")}), MATCHES),
    Mutation(
        "provenance-missing",
        "deb",
        lambda draft: draft.remove(RECORD) if draft.exists(RECORD) else None,
        frozenset({("provenance", "record")}),
        rules={"provenance": {"required": True}},
    ),
]
