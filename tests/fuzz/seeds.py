"""Binary inputs to begin with, made here rather than kept: certificates and databases are new in every run."""

import sqlite3
import struct
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, NoEncryption, pkcs12

from diskimage_validator.facts.edk2_store import X509
from diskimage_validator.facts.java_keystore import JKS
from tests.support import chains, disks, ext_images, images, lvm_disk, pki, rpm_databases
from tests.support.elf_files import ld_so_cache, library, linked, make_elf

SMALLEST_EXT = 60 * 1024
"""Bytes of the smallest file system that mke2fs makes."""
SMALLEST_FAT = 34 * 1024
"""Bytes of the smallest file system that mkfs.vfat makes."""
PACKAGES = (
    rpm_databases.package("podman", "4:4.9.4-13.el9_4", VENDOR="Example", SIGNED=b"\x89\x00\x0c\x04" + bytes(10)),
    rpm_databases.package("gpg-pubkey", "fd431d51-4ae0493b", "", PACKAGER="Example <a@example.org>"),
)


def pem() -> Iterable[bytes]:
    authority = pki.certificate("Fuzz CA")
    yield pki.pem(authority)
    yield pki.pem(authority) + b"# a remark\n" + pki.private_key("Fuzz CA")
    trusted = pki.pem(authority).replace(b"BEGIN CERTIFICATE", b"BEGIN TRUSTED CERTIFICATE")
    yield trusted.replace(b"END CERTIFICATE", b"END TRUSTED CERTIFICATE")
    yield pki.der(authority)
    yield pki.der(authority) + bytes.fromhex("300c300a06082b06010505070301")


def chain() -> Iterable[bytes]:
    root = chains.authority("Fuzz Root")
    yield chains.server(root).pem + root.pem


def p11_kit() -> Iterable[bytes]:
    head = b'[p11-kit-object-v1]\nlabel: "Fuzz CA"\ntrusted: true\nnss-mozilla-ca-policy: true\nmodifiable: false\n'
    yield head + pki.pem(pki.certificate("Fuzz CA"))


def keystores() -> Iterable[bytes]:
    authority = pki.certificate("Fuzz CA")
    content = struct.pack(">IH4sQH5sI", 2, 4, b"fuzz", 0, 5, b"X.509", len(pki.der(authority))) + pki.der(authority)
    key = struct.pack(">IH3sQI4sI", 1, 3, b"key", 0, 4, b"\0\0\0\0", 0)
    yield struct.pack(">III", JKS, 2, 2) + content + key + bytes(20)
    certificates = [pkcs12.PKCS12Certificate(authority, b"fuzz")]
    yield pkcs12.serialize_java_truststore(certificates, NoEncryption())
    yield pkcs12.serialize_java_truststore(certificates, BestAvailableEncryption(b"changeit"))


def edk2() -> Iterable[bytes]:
    authority = pki.der(pki.certificate("Fuzz CA"))
    yield X509 + struct.pack("<III", 28 + 16 + len(authority), 0, 16 + len(authority)) + bytes(16) + authority


def nss() -> Iterable[bytes]:
    authority = pki.der(pki.certificate("Fuzz CA"))
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("PRAGMA page_size=512")
        database.execute(
            "CREATE TABLE nssPublic (id PRIMARY KEY UNIQUE ON CONFLICT ABORT, a0, a11, ace5363b4, ace536358)"
        )
        database.execute("INSERT INTO nssPublic VALUES (1, ?, ?, NULL, NULL)", (b"\0\0\0\1", authority))
        database.execute("INSERT INTO nssPublic VALUES (2, ?, NULL, ?, ?)", (b"\xce\x53\x43\x53", b"a" * 20, b"\0" * 4))
        database.commit()
        yield database.serialize()


def elf() -> Iterable[bytes]:
    yield linked("liba.so", runpath="$ORIGIN/../lib:/opt/lib")
    yield library("liba.so", needed=["libc.so.6"])
    yield make_elf(machine=21, bits=32, order=">", needed=["liba.so"], interpreter="/lib/ld.so.1")
    yield images.elf()
    yield b"#!/usr/bin/env python3\n"


def loader_cache() -> Iterable[bytes]:
    yield ld_so_cache([("liba.so", "/opt/lib/liba.so"), ("libc.so.6", "/lib64/libc.so.6")])
    yield ld_so_cache([("liba.so", "/opt/lib/liba.so")], order=">")


def rpm_headers() -> Iterable[bytes]:
    files = rpm_databases.brings({"/usr/bin/jq": b"jq", "/usr/bin/j": "jq"})
    return (*PACKAGES, rpm_databases.package("jq", **files))


def rpm_sqlite() -> Iterable[bytes]:
    with TemporaryDirectory() as folder:
        yield rpm_databases.sqlite(Path(folder), PACKAGES)


def rpm_ndb() -> Iterable[bytes]:
    yield rpm_databases.ndb(PACKAGES)


def rpm_bdb() -> Iterable[bytes]:
    """Two pages of the smallest size: the description of the table, and a bucket with two packages."""
    size = 512
    items = [b"\1" + part for number, blob in enumerate(PACKAGES, 1) for part in (struct.pack("<I", number), blob)]
    table = struct.pack("<IIIIIIBBBBI", 0, 0, 0, 0x061561, 9, size, 0, 8, 0, 0, 0) + struct.pack("<I", 1)
    table = table.ljust(72, b"\0") + struct.pack("<I", 0)
    table = table.ljust(96, b"\0") + struct.pack("<32I", *[1] * 32)
    offsets, end, content = [], size, b""
    for item in items:
        end -= len(item)
        offsets.append(end)
        content = item + content
    page = struct.pack("<8xIIIHHBB", 1, 0, 0, len(items), end, 0, 13) + struct.pack(f"<{len(items)}H", *offsets)
    yield table.ljust(size, b"\0") + page.ljust(end, b"\0") + content


def openpgp() -> Iterable[bytes]:
    identifier = b"\x09\x10" + bytes(range(8))
    body = bytes([4, 0, 1, 8]) + struct.pack(">H", 0) + struct.pack(">H", len(identifier)) + identifier
    yield bytes([0x88, len(body)]) + body
    yield bytes([0xC2, len(body)]) + body
    yield bytes([0x88, 19, 3, 5, 0]) + bytes(4) + bytes(range(8)) + bytes(4)


def disk_images() -> Iterable[bytes]:
    qcow2 = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, 1 << 30, 0, 2, 0x30000, 0x10000, 1, 0, 0)
    yield (qcow2 + struct.pack(">QQQII", 0, 0, 0, 4, 112) + bytes(8)).ljust(1024, b"\0")
    named = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 72, 11, 16, 1 << 30, 0, 2, 0x30000, 0x10000, 1, 0, 0)
    yield (named + b"/etc/shadow").ljust(1024, b"\0")
    partition = struct.pack("<8BII", 0x80, 0, 2, 0, 0x83, 0, 0, 0, 2048, 4096)
    yield bytes(446) + partition + bytes(48) + b"\x55\xaa" + bytes(512)
    yield b"LUKS\xba\xbe\0\1".ljust(1024, b"\0")
    yield b"KDMV".ljust(1024, b"\0")


def ext() -> Iterable[bytes]:
    """The smallest file systems with a directory, a link, and a file with a hole."""
    for options in (("-t", "ext2", "-I", "128"), ("-t", "ext4", "-O", "^has_journal,^metadata_csum,^resize_inode")):
        with TemporaryDirectory() as folder:
            tree = Path(folder) / "tree"
            (tree / "folder").mkdir(parents=True)
            (tree / "link").symlink_to("text" * 20)
            (tree / "file").write_bytes(b"text" * 1024 + bytes(4096) + b"text")
            small = ("-b", "1024", "-N", "16")
            image = ext_images.make(Path(folder) / "image", *options, *small, tree=tree, size=SMALLEST_EXT)
            yield image.read_bytes()


def fat() -> Iterable[bytes]:
    """The smallest file system, with folders and names of both kinds."""
    files = {"EFI/BOOT/BOOTX64.EFI": b"MZ" * 300, "EFI/a long name.conf": b"text"}
    options = ("-F", "12", "-s", "1", "-r", "16", "-R", "1", "-f", "1", "-n", "ESP")
    with TemporaryDirectory() as folder:
        yield disks.fat(Path(folder) / "image", SMALLEST_FAT, files, *options).read_bytes()


def partitions() -> Iterable[bytes]:
    """An MBR with logical partitions, and a GPT."""
    logical = "start=1,size=8,type=83\nstart=10,type=5\nstart=11,size=4\nstart=16,size=4\n"
    scripts = (f"label: dos\n{logical}", "label: gpt\nfirst-lba: 20\ntable-length: 16\nstart=24,size=8\n")
    with TemporaryDirectory() as folder:
        for number, script in enumerate(scripts):
            yield disks.partitioned(Path(folder) / str(number), script, 32 * 1024).read_bytes()


def lvm() -> Iterable[bytes]:
    """The text of a group with two volumes."""
    root = lvm_disk.volume("root", lvm_disk.segment(1, 0, 6, '"pv0", 6'), lvm_disk.segment(2, 6, 2, '"pv0", 2'))
    swap = lvm_disk.volume("swap", lvm_disk.segment(1, 0, 2, '"pv0", 0'))
    yield lvm_disk.metadata(root + swap, extents=15).encode()
