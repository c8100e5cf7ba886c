"""A small, sound Debian image as a tree for MemoryEngine. Tests take a copy and break it."""

import struct

from diskimage_validator.engines.base import Disk, Filesystem
from diskimage_validator.policy_model import Policy, Rules
from tests.support import pki
from tests.support.memory_engine import Entry, File, Link

OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION_CODENAME=bookworm
ID=debian
"""
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ANCHOR = "/usr/local/share/ca-certificates/internal-ca.crt"
STATUS = "/var/lib/dpkg/status"
EXPIRED = {"start": pki.NOW - 2 * pki.YEAR, "end": pki.NOW - pki.YEAR}

PACKAGES = {
    "dpkg": "1.21.22",
    "podman": "4.3.1+ds1-8+b1",
    "skopeo": "1.9.3+ds1-1+b1",
    "jq": "1.6-2.1",
    "docker-ce": "5:24.0.7-1",
}


def elf(machine: int = 62, bits: int = 64, order: str = "<") -> bytes:
    """Return an ELF header of 64 bytes."""
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2, 1]) + bytes(9)
    return (ident + struct.pack(f"{order}HH", 3, machine)).ljust(64, b"\0")


def program(content: bytes | None = None, mode: int = 0o755) -> File:
    return File(elf() if content is None else content, mode)


def stanza(name: str, version: str = "1.0", status: str = "install ok installed", architecture: str = "amd64") -> str:
    fields = {"Package": name, "Status": status, "Architecture": architecture, "Version": version}
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value) + "Description: a\n package\n .\n"


def status(packages: dict[str, str]) -> str:
    return "\n".join(stanza(name, version) for name, version in packages.items())


def internal_ca() -> bytes:
    return pki.pem(pki.certificate("Internal CA"))


def debian() -> dict[str, Entry]:
    shipped = pki.pem(pki.certificate("Public Root"))
    expired = pki.pem(pki.certificate("Public Root, expired", **EXPIRED))
    return {
        "/etc/os-release": Link("../usr/lib/os-release"),
        "/usr/lib/os-release": OS_RELEASE,
        STATUS: status(PACKAGES),
        "/usr/share/ca-certificates/mozilla/Public_Root.crt": shipped,
        "/usr/share/ca-certificates/mozilla/Expired_Root.crt": expired,
        ANCHOR: internal_ca(),
        BUNDLE: shipped + expired + internal_ca(),
        "/bin": Link("usr/bin"),
        "/sbin": Link("usr/sbin"),
        "/usr/bin/dash": program(),
        "/usr/bin/sh": Link("dash"),
        "/usr/bin/podman": program(),
        "/usr/bin/skopeo": program(),
        "/usr/bin/jq": program(),
        "/usr/sbin/init": Link("/lib/systemd/systemd"),
        "/lib/systemd/systemd": program(),
        "/boot/vmlinuz-6.1.0-28-amd64": b"kernel",
        "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nzuul:x:1000:1000:Zuul:/home/zuul:/bin/bash\n",
        "/etc/group": "root:x:0:\nsudo:x:27:\nzuul:x:1000:\n",
        "/etc/shadow": "root:*:20000:0:99999:7:::\nzuul:!:20000:0:99999:7:::\n",
    }


def disk() -> Disk:
    root = Filesystem("/dev/sda1", "ext4", "/", "cloudimg-rootfs", "0000-0001", 4 * 1024**3, 3 * 1024**3)
    return Disk("mbr", 4 * 1024**3, (root,))


def rules(**sections: object) -> Rules:
    return Rules.model_validate({"version": 1, "name": "test", **sections})


def policy(**sections: object) -> Policy:
    return Policy(rules(**sections))
