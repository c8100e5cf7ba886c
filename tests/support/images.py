"""A small, sound Debian image as a tree for MemoryEngine. Tests take a copy and break it."""

from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from diskimage_validator.engines.base import Disk, Filesystem, Partition
from diskimage_validator.name_hash import subject_hash
from diskimage_validator.policy_model import Policy, Rules
from tests.support import pki
from tests.support.elf_files import make_elf
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
    """Return a static ELF program."""
    return make_elf(machine=machine, bits=bits, order=order)


def program(content: bytes | None = None, mode: int = 0o755) -> File:
    return File(elf() if content is None else content, mode)


def stanza(name: str, version: str = "1.0", status: str = "install ok installed", architecture: str = "amd64") -> str:
    fields = {"Package": name, "Status": status, "Architecture": architecture, "Version": version}
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value) + "Description: a\n package\n .\n"


def status(packages: dict[str, str]) -> str:
    return "\n".join(stanza(name, version) for name, version in packages.items())


def internal_ca() -> bytes:
    return pki.pem(pki.certificate("Internal CA"))


def hash_links(certificates: dict[str, bytes], folder: str = "/etc/ssl/certs") -> dict[str, Entry]:
    """Return ``NAME.pem`` and a hash link to it for every certificate, as ``openssl rehash`` leaves a folder."""
    found: dict[str, Entry] = {}
    for name, data in certificates.items():
        found[f"{folder}/{name}.pem"] = data
        found[f"{folder}/{hash_of(data)}.0"] = Link(f"{name}.pem")
    return found


@cache
def hash_of(data: bytes) -> str:
    """Return OpenSSL's hash of the subject of a PEM certificate."""
    return subject_hash(x509.load_pem_x509_certificate(data).public_bytes(serialization.Encoding.DER))


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
        **hash_links({"Public_Root": shipped, "Expired_Root": expired, "internal-ca": internal_ca()}),
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
    root = Filesystem(
        device="/dev/sda1",
        type="ext4",
        mountpoint="/",
        label="cloudimg-rootfs",
        uuid="0000-0001",
        size=4 * 1024**3,
        free=3 * 1024**3,
        inodes=1000,
        free_inodes=200,
        clean=True,
        block_size=4096,
        features=("extent", "64bit"),
    )
    partition = Partition("/dev/sda1", 1, 1024**2, 4 * 1024**3 - 1024**2, "83")
    return Disk("mbr", 4 * 1024**3, (root,), (partition,), compat="1.1", compression="zstd")


def rules(**sections: object) -> Rules:
    return Rules.model_validate({"version": 1, "name": "test", **sections})


def policy(**sections: object) -> Policy:
    return Policy(rules(**sections))
