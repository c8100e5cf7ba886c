"""Print, as JSON, what an image is built from. The README describes the format.

    provenance.py ANCHORS < PACKAGES

ANCHORS is a folder of CA certificates in PEM form and may be missing. PACKAGES has a line for each package: status,
name, version and architecture, with tabs between them. All else comes from diskimage-builder's environment. Nothing is
in the result that could differ between two builds from the same inputs: no dates, no paths and no names of the host.
"""

import hashlib
import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

SCHEMA_VERSION = 1
MIRROR_VARIABLE = re.compile(r"DIB_\w*MIRROR\w*")
MIRROR_SCHEMES = ("http", "https", "ftp")
TOOLS = ("airgap-image-factory", "diskimage-builder")


def elements(paths: Mapping[str, str]) -> list[dict[str, Any]]:
    """Describe each element: the digest of its files, and where it is under version control, the commit."""
    return [{"name": name, "sha256": digest(Path(path)), **commit(Path(path))} for name, path in sorted(paths.items())]


def digest(element: Path) -> str:
    """Return the SHA-256 over names, run bits and content of all files, in the order of their names."""
    total = hashlib.sha256()
    files = (path for path in element.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    for path in sorted(files, key=lambda path: path.relative_to(element).as_posix()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        mode = "x" if os.access(path, os.X_OK) else "-"
        total.update(f"{content} {mode} {path.relative_to(element).as_posix()}\n".encode())
    return total.hexdigest()


def commit(element: Path) -> dict[str, Any]:
    """Return the commit of the checkout that the element is in, and whether the element differs from it."""
    # An installed element may lie in a checkout by chance, for instance in its virtual environment.
    if git(element, "ls-files", "--", ".") in (None, ""):
        return {"git_commit": None, "git_modified": None}
    status = git(element, "status", "--porcelain", "--untracked-files=all", "--", ".")
    return {"git_commit": git(element, "rev-parse", "HEAD"), "git_modified": status != ""}


def git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints, or None if there is no git or no checkout. Whose the checkout is does not matter."""
    command = ["git", "--no-optional-locks", "-c", "safe.directory=*", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def mirrors(environment: Mapping[str, str]) -> dict[str, str]:
    """Return variable name to URL of every package mirror of the build, without user names, passwords and queries."""
    found = {}
    for name, value in sorted(environment.items()):
        url = urlsplit(value)
        if MIRROR_VARIABLE.fullmatch(name) and url.scheme in MIRROR_SCHEMES and url.hostname:
            found[name] = f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    return found


def authorities(folder: Path) -> list[str]:
    """Return the SHA-256 fingerprints of the certificates in a folder, sorted, as ``openssl x509 -fingerprint``'s."""
    ders = (ssl.PEM_cert_to_DER_cert(path.read_text()) for path in folder.glob("*.crt"))
    return sorted(hashlib.sha256(der).hexdigest() for der in ders)


def packages(lines: Iterable[str]) -> list[dict[str, str]]:
    """Return name, version and architecture of the installed packages, sorted by name."""
    rows = sorted(line.rstrip("\n").split("\t")[1:] for line in lines if line.startswith("installed\t"))
    return [dict(zip(("name", "version", "architecture"), row, strict=True)) for row in rows]


def tools() -> dict[str, str | None]:
    """Return the versions of the distributions that build images; None for one that is not installed."""
    found: dict[str, str | None] = dict.fromkeys(TOOLS)
    for name in TOOLS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def main() -> None:
    """Read the environment and the packages, and print the result."""
    environment = os.environ
    epoch = environment.get("SOURCE_DATE_EPOCH", "")
    result = {
        "schema_version": SCHEMA_VERSION,
        "distribution": environment["DISTRO_NAME"],
        "release": environment["DIB_RELEASE"],
        "architecture": environment["ARCH"],
        "source_date_epoch": int(epoch) if epoch.isascii() and epoch.isdigit() else None,
        "tools": tools(),
        "elements": elements(yaml.safe_load(environment["IMAGE_ELEMENT_YAML"])),
        "mirrors": mirrors(environment),
        "trusted_ca_sha256": authorities(Path(sys.argv[1])),
        "packages": packages(sys.stdin),
    }
    if not result["packages"]:
        sys.exit("ERROR: image-provenance: the package manager of the image lists no package")
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
