"""Packages of the RHEL family and the database that lists them, made by RPM itself in an instant, without a mirror.

Debian's ``rpm`` builds and installs them: one spec whose sub-packages have versions of their own. It writes SQLite
only; for the other formats the headers that it wrote are put into those by ``rpm_databases``.
"""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from diskimage_validator.facts import rpm_sqlite
from diskimage_validator.facts.rpm_header import NAME, Header
from tests.support.memory_engine import Entry
from tests.support.openpgp import KEY, packet, subpacket, v4
from tests.support.rpm_databases import BDB_PATH, NDB_PATH, SQLITE_PATH, made, package, with_signature

KERNEL = "5.14.0-427.13.1.el9_4"
PACKAGES: dict[str, str] = {
    "buildah": "2:1.33.6-2.el9",
    "ca-certificates": "2024.2.69_v8.0.303-91.4.el9_4/noarch",
    "cloud-init": "23.4-7.el9_4/noarch",
    "cloud-utils-growpart": "0.33-0.el9",
    "containers-common": "2:1-90.el9_4",
    "coreutils": "8.32-35.el9",
    "crun": "1.14.3-1.el9",
    "crypto-policies": "20240202-1.git283706d.el9/noarch",
    "dbus-broker": "28-7.el9",
    "dnf": "4.14.0-9.el9/noarch",
    "filesystem": "3.16-2.el9",
    "glibc": "2.34-100.el9",
    "grub2-pc": "1:2.06-77.el9",
    "jq": "1.6-16.el9",
    "kernel-core": KERNEL,
    "openssh-server": "8.7p1-38.el9",
    "p11-kit-trust": "0.25.3-2.el9",
    "podman": "4:4.9.4-13.el9_4",
    "python3": "3.9.18-3.el9",
    "python3-requests": "2.25.1-8.el9/noarch",
    "python3-pip-wheel": "21.3.1-1.el9/noarch",
    "qemu-img": "17:8.2.0-11.el9_4",
    "rocky-release": "9.4-1.7.el9/noarch",
    "rpm": "4.16.1.3-29.el9",
    "skopeo": "2:1.14.3-2.el9_4",
    "sudo": "1.9.5p2-10.el9_3",
    "systemd": "252-32.el9_4",
    "systemd-networkd": "253.4-1.el9",
    "tzdata": "2024a-1.el9/noarch",
    "xfsprogs": "6.3.0-1.el9",
}
"""``[epoch:]version-release``, perhaps with ``/noarch``, by name: what an EL9 node that builds containers has."""

VENDOR = "Rocky Enterprise Software Foundation"
DISTRIBUTION = "Rocky Linux 9.4"
_HEAD = f"""\
Name: source-of-all
Version: 1
Release: 1
Summary: Test package
License: Apache-2.0
Vendor: {VENDOR}
Distribution: {DISTRIBUTION}
Packager: Release Engineering <releng@example.org>
%description
For tests.
"""


def _spec(packages: Mapping[str, str]) -> str:
    parts = [_HEAD]
    for name, text in packages.items():
        full, _, architecture = text.partition("/")
        epoch, _, rest = full.rpartition(":")
        version, _, release = rest.partition("-")
        fields = [f"%package -n {name}", f"Version: {version}", f"Release: {release}", f"Summary: {name}"]
        fields += [f"Epoch: {epoch}"] if epoch else []
        fields += [f"BuildArch: {architecture}"] if architecture else []
        parts.append("\n".join([*fields, f"%description -n {name}", "For tests.", f"%files -n {name}", ""]))
    return "\n".join(parts)


def install(root: Path, packages: Mapping[str, str], *, architecture: str = "x86_64") -> Path:
    """Install ``packages``, which hold no files, below ``root``; return the path of the database."""
    with TemporaryDirectory() as folder:
        spec = Path(folder, "all.spec")
        spec.write_text(_spec(packages))
        build = ["rpmbuild", "-bb", "--quiet", "--target", architecture, "--define", f"_topdir {folder}", str(spec)]
        subprocess.run([*build, "--define", "__spec_install_post %{nil}"], check=True, capture_output=True)
        files = sorted(str(file) for file in Path(folder, "RPMS").glob("*/*.rpm"))
        assert len(files) == len(packages)
        # Debian's rpm has its database in the home folder unless told otherwise.
        rpm = ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "--define", "_db_backend sqlite"]
        options = ["--nodeps", "--noscripts", "--nosignature", "--ignorearch", "--ignoreos"]
        subprocess.run([*rpm, *options, "-i", *files], check=True, capture_output=True)
    return root / SQLITE_PATH.lstrip("/")


@cache
def headers() -> tuple[bytes, ...]:
    """Return the headers of PACKAGES as RPM wrote them, each with a signature of KEY, and the key."""
    with TemporaryDirectory() as folder:
        written = tuple(rpm_sqlite.headers(install(Path(folder), PACKAGES)))
    signed = (with_signature(blob, packet(v4(hashed=subpacket(16, KEY)))) for blob in written)
    return (*signed, package("gpg-pubkey", f"{KEY.hex()[-8:]}-62d7a8c4", "", SUMMARY="Test key"))


def name_of(blob: bytes) -> str:
    """Return the name of the package with this header."""
    return Header(blob).text(NAME)


def database(backend: str = "sqlite", blobs: tuple[bytes, ...] | None = None) -> dict[str, Entry]:
    """Return the entry of a tree for a database: ``sqlite``, ``ndb`` or ``bdb``; of PACKAGES unless told otherwise."""
    path = {"sqlite": SQLITE_PATH, "ndb": NDB_PATH, "bdb": BDB_PATH}[backend]
    return {path: made(path, headers() if blobs is None else blobs)}
