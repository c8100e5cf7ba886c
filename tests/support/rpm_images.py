"""A small, sound image of the RHEL family, as EL9 lays it out: a tree for MemoryEngine, and the same on disk.

It satisfies the shipped policy ``container-node`` with its CA ``internal_ca()`` trusted. Tests take a copy and break
it; mutations run on it, too.
"""

import json
import posixpath
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from diskimage_validator.engines.base import Disk, Filesystem, Partition
from tests.support import pki
from tests.support import rpm_files as files
from tests.support.elf_files import library, linked
from tests.support.memory_engine import Broken, Entry, File, Folder, Link
from tests.support.rpm_packages import PACKAGES, database

MIB, GIB = 1024**2, 1024**3
BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
ANCHOR = "/etc/pki/ca-trust/source/anchors/internal-ca.pem"
SHIPPED = "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit"
PUBLIC = ("Public Root", "Another Public Root")
SITE = "/usr/lib/python3.9/site-packages"
PROGRAMS = ("bash", "buildah", "jq", "podman", "python3.9", "qemu-img", "rpm", "skopeo")
OTHER_PROGRAMS = (
    "bin/cloud-init",
    "bin/dbus-broker-launch",
    "lib/systemd/systemd",
    "lib/systemd/systemd-networkd",
    "sbin/agetty",
    "sbin/sshd",
    "sbin/xfs_growfs",
)


def internal_ca(moment: datetime = pki.NOW) -> bytes:
    """Return the CA that somebody added; it is valid for a year around ``moment``."""
    return _authority("Internal CA", moment)


def sha256_of(certificate: bytes) -> str:
    """Return the fingerprint of a certificate in PEM."""
    return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()


def _authority(name: str, moment: datetime) -> bytes:
    validity = {} if moment == pki.NOW else {"start": moment - pki.YEAR, "end": moment + pki.YEAR}
    return pki.pem(pki.certificate(name, **validity))


def _shipped(moment: datetime) -> bytes:
    """Return the distribution's own CAs as p11-kit keeps them: attributes around PEM blocks."""
    head = '[p11-kit-object-v1]\nlabel: "{name}"\ntrusted: true\n'
    return b"\n".join(head.format(name=name).encode() + _authority(name, moment) for name in PUBLIC)


def _trust(moment: datetime) -> dict[str, Entry]:
    bundle = b"".join(_authority(name, moment) for name in PUBLIC) + internal_ca(moment)
    return {
        ANCHOR: internal_ca(moment),
        SHIPPED: _shipped(moment),
        BUNDLE: File(bundle, 0o444),
        "/etc/pki/ca-trust/extracted/pem/email-ca-bundle.pem": File(bundle, 0o444),
        "/etc/pki/ca-trust/source/README": "This directory holds local CAs.\n",
        "/etc/pki/tls/cert.pem": Link("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
        "/etc/pki/tls/certs/ca-bundle.crt": Link("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
        "/etc/ssl/certs": Link("../pki/tls/certs"),
        "/etc/ssl/cert.pem": Link("/etc/pki/tls/cert.pem"),
    }


def _programs() -> dict[str, Entry]:
    program = File(linked("libc.so.6"), 0o755)
    tree: dict[str, Entry] = {f"/usr/bin/{name}": program for name in PROGRAMS}
    tree |= {f"/usr/{path}": program for path in OTHER_PROGRAMS}
    tree["/usr/bin/growpart"] = File(b"#!/bin/sh\n", 0o755)
    return tree | {
        "/bin": Link("usr/bin"),
        "/sbin": Link("usr/sbin"),
        "/lib": Link("usr/lib"),
        "/lib64": Link("usr/lib64"),
        "/usr/lib64/libc.so.6": File(library("libc.so.6"), 0o755),
        "/usr/lib64/ld-linux-x86-64.so.2": File(library("ld-linux-x86-64.so.2"), 0o755),
        "/etc/ld.so.conf": "include ld.so.conf.d/*.conf\n",
        "/usr/bin/sh": Link("bash"),
        "/usr/bin/python3": Link("python3.9"),
        "/usr/bin/sudo": File(linked("libc.so.6"), 0o4755),
        "/usr/sbin/init": Link("../lib/systemd/systemd"),
        "/usr/lib/python3.9/os.py": "",
        f"{SITE}/requests/__init__.py": "",
        f"{SITE}/requests-2.25.1.dist-info/METADATA": "Metadata-Version: 2.1\nName: requests\nVersion: 2.25.1\n",
    }


def _accounts() -> dict[str, Entry]:
    return {
        "/etc/passwd": files.PASSWD,
        "/etc/group": files.GROUP,
        "/etc/shadow": File(files.SHADOW.encode(), 0o000),
        "/etc/gshadow": File(b"root:::\nzuul:!::\n", 0o000),
        "/etc/subuid": "zuul:100000:65536\n",
        "/etc/subgid": "zuul:100000:65536\n",
        "/etc/sudoers": File(files.SUDOERS.encode(), 0o440),
        "/etc/sudoers.d": Folder(0o750),
        "/etc/sudoers.d/zuul": File(b"zuul ALL=(ALL) NOPASSWD:ALL\n", 0o440),
        "/etc/ssh/sshd_config": File(files.SSHD_CONFIG.encode(), 0o600),
        "/etc/ssh/sshd_config.d": Folder(0o700),
        "/etc/ssh/sshd_config.d/10-zuul-node.conf": File(files.NODE_SSHD_CONFIG.encode(), 0o600),
        "/home/zuul": Folder(0o700),
        "/home/zuul/.ssh": Folder(0o700),
        "/home/zuul/.ssh/authorized_keys": File(files.AUTHORIZED_KEY.encode(), 0o600),
        "/root": Folder(0o550),
    }


def _boot() -> dict[str, Entry]:
    modules = f"/usr/lib/modules/{files.KERNEL_RELEASE}"
    return {
        "/etc/fstab": files.FSTAB,
        f"/boot/vmlinuz-{files.KERNEL_RELEASE}": File(b"kernel", 0o755),
        f"/boot/initramfs-{files.KERNEL_RELEASE}.img": File(b"initramfs", 0o600),
        f"/boot/config-{files.KERNEL_RELEASE}": "CONFIG_XFS_FS=m\n",
        f"/boot/loader/entries/{files.MACHINE_ID}-{files.KERNEL_RELEASE}.conf": files.BOOT_ENTRY,
        "/boot/grub2/grub.cfg": File(files.GRUB_CFG.encode(), 0o600),
        "/boot/grub2/grubenv": File(
            f"# GRUB Environment Block\nsaved_entry={files.MACHINE_ID}-{files.KERNEL_RELEASE}\n".encode()
        ),
        "/etc/default/grub": 'GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"\nGRUB_ENABLE_BLSCFG=true\n',
        f"{modules}/vmlinuz": File(b"kernel", 0o755),
        f"{modules}/modules.dep": "kernel/fs/xfs/xfs.ko.xz:\n",
        f"{modules}/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
        f"{modules}/kernel/fs/xfs/xfs.ko.xz": b"module",
    }


def _units() -> dict[str, Entry]:
    tree: dict[str, Entry] = {f"/usr/lib/systemd/system/{name}": text for name, text in files.UNITS.items()}
    for wanted in files.ENABLED:
        tree[f"/etc/systemd/system/{wanted}"] = Link(f"/usr/lib/systemd/system/{posixpath.basename(wanted)}")
    tree["/etc/systemd/system/dbus.service"] = Link("/usr/lib/systemd/system/dbus-broker.service")
    serial = "/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"
    tree[serial] = Link("/usr/lib/systemd/system/serial-getty@.service")
    tree["/etc/systemd/system/default.target"] = Link("/usr/lib/systemd/system/multi-user.target")
    tree["/usr/lib/systemd/system-preset/90-default.preset"] = "enable sshd.service\nenable cloud-init.service\n"
    return tree


def _configuration() -> dict[str, Entry]:
    return {
        "/etc/os-release": Link("../usr/lib/os-release"),
        "/usr/lib/os-release": files.OS_RELEASE,
        "/etc/redhat-release": "Rocky Linux release 9.4 (Blue Onyx)\n",
        "/etc/hostname": "localhost\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "/etc/machine-id": "",
        "/etc/resolv.conf": "",
        "/etc/chrony.conf": "pool ntp.internal iburst\ndriftfile /var/lib/chrony/drift\n",
        "/etc/dnf/dnf.conf": files.DNF_CONF,
        "/etc/yum.repos.d/site.repo": files.REPO,
        "/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        "/etc/containers/registries.conf": files.REGISTRIES_CONF,
        "/etc/containers/policy.json": files.POLICY_JSON,
        "/etc/containers/storage.conf": files.STORAGE_CONF,
        "/etc/cloud/cloud.cfg": files.CLOUD_CFG,
        "/tmp": Folder(0o1777),
        "/var/tmp": Folder(0o1777),
        "/var/log": Folder(),
        "/var/cache/dnf": Folder(),
        "/var/lib/containers": Folder(),
        "/run": Folder(),
        "/proc": Folder(0o555),
        "/sys": Folder(0o555),
        "/dev": Folder(),
    }


def record(moment: datetime = pki.NOW) -> dict[str, Entry]:
    """Return the record of the build, as the element image-provenance bakes it. It is no part of the tree."""
    packages = [
        {"name": name, "version": version, "architecture": architecture or "x86_64"}
        for name, text in PACKAGES.items()
        for version, _, architecture in (text.partition("/"),)
    ]
    content = {
        "schema_version": 1,
        "distribution": "rocky-container",
        "release": "9",
        "architecture": "amd64",
        "source_date_epoch": None,
        "tools": {"airgap-image-factory": "0.1.0", "diskimage-builder": "3.43.0"},
        "elements": [{"name": "airgap-node", "sha256": "ab" * 32, "git_commit": None, "git_modified": None}],
        "mirrors": {"DIB_DISTRIBUTION_MIRROR": "https://mirror.internal/rocky"},
        "trusted_ca_sha256": [sha256_of(internal_ca(moment))],
        "packages": packages,
    }
    return {"/etc/image-provenance.json": json.dumps(content)}


def disk() -> Disk:
    """Return the disk of such an image: GPT with a partition for GRUB, and an xfs root that can grow."""
    grub = Partition("/dev/sda1", 1, MIB, MIB, "21686148-6449-6E6F-744E-656564454649")
    partition = Partition("/dev/sda2", 2, 2 * MIB, 10 * GIB - 3 * MIB, "0FC63DAF-8483-4772-8E79-3D69D8477DE4")
    root = Filesystem(
        device="/dev/sda2",
        type="xfs",
        mountpoint="/",
        label="cloudimg-rootfs",
        uuid="0000-0001",
        size=partition.size,
        free=8 * GIB,
        inodes=5_000_000,
        free_inodes=4_900_000,
        clean=True,
    )
    return Disk("gpt", 10 * GIB, (root,), (grub, partition), compat="1.1", compression="zstd")


def rhel(backend: str = "sqlite", moment: datetime = pki.NOW) -> dict[str, Entry]:
    """Return the tree, with its packages in a database of the format ``sqlite``, ``ndb`` or ``bdb``.

    Its CAs are valid for a year around ``moment``.
    """
    return _configuration() | _trust(moment) | _programs() | _accounts() | _boot() | _units() | database(backend)


def lay_out(tree: Mapping[str, Entry], folder: Path) -> Path:
    """Write ``tree`` below ``folder``, owned by whoever runs the test, and return ``folder``."""
    folders: dict[Path, int] = {}
    for name, entry in tree.items():
        path = folder / name.lstrip("/")
        if isinstance(entry, Folder):
            path.mkdir(parents=True, exist_ok=True)
            folders[path] = entry.mode
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            path.symlink_to(entry.text)
            continue
        assert not isinstance(entry, Broken), "a disk keeps what it is given"
        file = entry if isinstance(entry, File) else File(entry.encode() if isinstance(entry, str) else entry)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    for path, mode in folders.items():
        path.chmod(mode)
    return folder
