"""Two builds of the umbrella from the same inputs, one after the other, in different folders, under different names.

Nothing in them may differ: not a path, not a field, not a byte of the image file.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from diskimage_validator.comparison.trees import compare
from tests.elements.fakeroot import ELEMENTS
from tests.elements.pki import Issued
from tests.functional.conftest import BuiltImage, build_image
from tests.functional.machine import boot
from tests.functional.test_validate_root import assert_root_as_image
from tests.functional.tls_mirror import TlsMirror
from tests.support.snapshot_folder import snapshot_folder

START = 1024 * 1024  # bytes before the root partition: diskimage-builder's alignment


@dataclass(frozen=True)
class Builds:
    """Two builds from the same inputs, and the date that was one of them."""

    one: BuiltImage
    other: BuiltImage
    epoch: int


@pytest.fixture(scope="module")
def builds(
    image_folder: Path, authority: Issued, mirror: TlsMirror, tmp_path_factory: pytest.TempPathFactory
) -> Builds:
    """Build twice, with one SSH key. The date is that of the last commit, if there is one."""
    git = ["git", "-C", str(ELEMENTS), "log", "-1", "--format=%ct"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    epoch = int(commit or "1700000000")
    options = ["--element", "reproducible-image", "--element", "image-provenance", "--element", "validate-root"]
    public = image_folder / "reproducible.pub"
    made = []
    for number, place in enumerate(("reproducible-one", "other/reproducible-place")):
        folder = image_folder / place
        folder.mkdir(parents=True, exist_ok=True)
        scratch = tmp_path_factory.mktemp(f"scratch-{'x' * number * 20}")
        variables = {"SOURCE_DATE_EPOCH": str(epoch), "TMPDIR": str(scratch)}
        if public.exists():
            variables["DIB_ZUUL_NODE_AUTHORIZED_KEYS"] = str(public)
        built = build_image(folder, f"node-{number}", authority, mirror, *options, **variables)
        if not public.exists():
            public.write_bytes(built.key.with_suffix(".pub").read_bytes())
        made.append(built)
    return Builds(made[0], made[1], epoch)


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount the root file system of a qcow2 image read-only, its journal untouched."""
    folder.mkdir()
    raw = folder.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(image), str(raw)], check=True)
    try:
        subprocess.run(["mount", "-o", f"ro,loop,noload,offset={START}", str(raw), str(folder)], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    finally:
        raw.unlink()


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def provenance(built: BuiltImage) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((built.reports / "image-provenance.json").read_text())
    return found


def test_no_path_differs_in_any_field(builds: Builds, tmp_path: Path) -> None:
    with mounted(builds.one.path, tmp_path / "one") as one, mounted(builds.other.path, tmp_path / "other") as other:
        left, right = snapshot_folder(one), snapshot_folder(other)
    differences = [str(difference) for difference in compare(left, right)]
    assert len(left) > 15_000
    assert differences == []
    assert max(entry.mtime for entry in left.values()) <= builds.epoch


def test_the_image_files_are_the_same_byte_for_byte(builds: Builds) -> None:
    assert digest(builds.one.path) == digest(builds.other.path)


def test_the_file_system_is_sound(builds: Builds, tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(builds.one.path), str(raw)], check=True)
    done = subprocess.run(["e2fsck", "-f", "-n", f"{raw}?offset={START}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_boots_and_the_node_makes_what_must_differ(builds: Builds, tmp_path: Path) -> None:
    with boot(builds.one.path, tmp_path, user="zuul", key=builds.one.key) as machine:
        assert machine.run("findmnt --noheadings --output OPTIONS /").startswith("rw,")
        assert len(machine.run("cat /etc/machine-id")) == 32
        machine.run("sudo /usr/lib/open-iscsi/startup-checks.sh")
        assert "InitiatorName=iqn." in machine.run("sudo cat /etc/iscsi/initiatorname.iscsi")
        imports = machine.run("python3 -v -c 'import cloudinit.util, apt' 2>&1")
        assert "matches /usr/lib/python3/dist-packages/cloudinit/util.py" in imports
        assert "bytecode is stale" not in imports


def test_the_root_had_the_verdict_of_the_image(builds: Builds) -> None:
    assert_root_as_image(builds.one)
    assert_root_as_image(builds.other)


def test_provenance_is_in_the_image_and_beside_it_and_complete(builds: Builds, tmp_path: Path) -> None:
    beside = (builds.one.reports / "image-provenance.json").read_bytes()
    with mounted(builds.one.path, tmp_path / "one") as root:
        assert (root / "etc/image-provenance.json").read_bytes() == beside
        query = ["dpkg-query", f"--root={root}", "--show", "--showformat=${Package} ${Version}\n"]
        installed = subprocess.run(query, check=True, capture_output=True, text=True).stdout.splitlines()
    said = provenance(builds.one)
    assert {f"{package['name']} {package['version']}" for package in said["packages"]} == set(installed)
    assert said["source_date_epoch"] == builds.epoch
    assert {"airgap-node", "debian-minimal", "zuul-node"} <= {element["name"] for element in said["elements"]}


def test_provenance_names_the_authority_and_the_mirrors(builds: Builds) -> None:
    said = provenance(builds.one)
    (certificate,) = x509.load_pem_x509_certificates(builds.one.authority.read_bytes())
    assert said["trusted_ca_sha256"] == [certificate.fingerprint(hashes.SHA256()).hex()]
    assert {urlsplit(url).path for url in said["mirrors"].values()} == {"/debian", "/debian-security"}
