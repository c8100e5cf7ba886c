"""Repositories of RPM packages: RPM itself builds them, and createrepo_c writes their indices."""

import hashlib
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import zstandard

_HEAD = "Name: source\nVersion: 1\nRelease: 1\nSummary: Test package\nLicense: Apache-2.0\n%description\nFor tests.\n"
REPOMD = "repodata/repomd.xml"


def build(folder: Path, packages: Mapping[str, Sequence[str]], architecture: str = "x86_64") -> dict[str, int]:
    """Build ``NAME-VERSION-RELEASE`` with its further lines of the spec file; return the size of each, in bytes.

    Every one holds ``/usr/bin/NAME`` and ``/usr/libexec/NAME``, not to be compressed: none is as large as another.
    """
    work = folder / f".build-{architecture}"
    work.mkdir(parents=True)
    spec = [_HEAD]
    for number, (full, lines) in enumerate(packages.items(), 1):
        name, version, release = full.rsplit("-", 2)
        (work / name).write_bytes(os.urandom(1000 * number))
        files = f"%files -n {name}\n/usr/bin/{name}\n/usr/libexec/{name}"
        about = [f"%package -n {name}", f"Version: {version}", f"Release: {release}", f"Summary: {name}", *lines]
        spec.append("\n".join([*about, f"%description -n {name}", "For tests.", files, ""]))
    names = [full.rsplit("-", 2)[0] for full in packages]
    folders = ("bin", "libexec")
    copies = [f"install -D {work}/{name} %{{buildroot}}/usr/{to}/{name}" for name in names for to in folders]
    spec.append("\n".join(["%install", *copies, ""]))
    (work / "all.spec").write_text("\n".join(spec))
    command = ["rpmbuild", "-bb", "--quiet", "--target", architecture, "--define", f"_topdir {work}"]
    # No scan for what the files need: they are no programs.
    command += ["--define", "__spec_install_post %{nil}", "--define", "_rpmdir " + str(folder), "--nodeps"]
    subprocess.run([*command, str(work / "all.spec")], check=True, capture_output=True)
    made = folder / architecture
    return {full: (made / f"{full}.{architecture}.rpm").stat().st_size for full in packages}


def index(folder: Path, compression: str) -> None:
    """Write the index of all packages below ``folder``, with a ``primary.xml`` as gz, xz, zst, or plain (empty)."""
    known = compression if compression in ("gz", "xz") else "gz"
    command = ["createrepo_c", "--quiet", "--no-database", f"--general-compress-type={known}", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    if compression != known:
        _repack(folder, compression)


def _repack(folder: Path, compression: str) -> None:
    """Compress ``primary.xml`` as newer versions of createrepo_c do, or not at all, and list it so."""
    (old,) = (folder / "repodata").glob("*-primary.xml.gz")
    plain = subprocess.run(["gzip", "-dc", str(old)], check=True, stdout=subprocess.PIPE).stdout
    data = zstandard.ZstdCompressor().compress(plain) if compression == "zst" else plain
    digest = hashlib.sha256(data).hexdigest()
    new = old.with_name(f"{digest}-primary.xml" + f".{compression}" * bool(compression))
    new.write_bytes(data)
    repomd = folder / REPOMD
    text = repomd.read_text().replace(old.name, new.name)
    repomd.write_text(re.sub(rf"(<checksum [^>]*>){old.name[:64]}<", rf"\g<1>{digest}<", text))
    old.unlink()
