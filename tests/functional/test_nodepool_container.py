"""The builder's container, really built: from an internal mirror, through a CA that nothing but the build knows."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_image_factory.mirror import choose_mirror
from tests.elements.pki import Issued
from tests.functional.conftest import ROOT, host_authorities
from tests.functional.tls_mirror import TlsMirror

BASE, IMAGE = "localhost/debian-base", "localhost/nodepool-builder"
# What the container's user does first: each line must succeed.
LOOK = """
set -eu
test "$(id -un)" = nodepool
test "$(sudo -n id -u 2>/dev/null)" = 0
nodepool -c /etc/nodepool/nodepool.yaml config-validate
test "$(diskimage-validator elements-path)" = "$(sed -n 's/^elements-dir: //p' /etc/nodepool/nodepool.yaml)"
disk-image-create-validated --help | grep -q DIB_GATE_POLICY
nodepool-builder --version
for folder in images tmp cache gate; do test -w "/var/lib/nodepool/$folder"; done
test -w /var/log/nodepool/builds
openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt /etc/nodepool/internal-ca.pem
diskimage-validator doctor || true
"""


class Buildah:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._command = ["buildah", "--root", str(folder / "storage"), "--runroot", str(folder / "run")]

    def __call__(self, *arguments: str) -> str:
        """Run it and return its standard output; the test fails with all that it said if it does."""
        done = subprocess.run([*self._command, *arguments], check=False, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[Buildah]:
    made = Buildah(tmp_path)
    yield made
    made("rm", "--all")
    made("rmi", "--all", "--force")


def make_base(buildah: Buildah, folder: Path) -> None:
    """Make the image that is ``registry.internal/debian:bookworm`` elsewhere."""
    root = folder / "root"
    archive = choose_mirror(None, None).archive
    subprocess.run(
        ["debootstrap", "--variant=minbase", "bookworm", str(root), archive], check=True, capture_output=True
    )
    container = buildah("from", "scratch").strip()
    buildah("add", container, str(root), "/")
    buildah("commit", "--rm", container, BASE)


def checkout(folder: Path) -> Path:
    """Copy what git knows of this checkout, and what is new in it."""
    list_files = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(list_files, cwd=ROOT, check=True, capture_output=True).stdout
    subprocess.run(["rsync", "-a", "--from0", "--files-from=-", f"{ROOT}/", f"{folder}/"], input=names, check=True)
    return folder


def index_url() -> str:
    """Return the index of this host's pip, or nothing if nobody told it one."""
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return os.environ.get("PIP_INDEX_URL") or told.stdout.strip()


@pytest.mark.timeout(1200)
def test_the_container_is_built_through_the_internal_ca_and_is_a_builder(
    buildah: Buildah, mirror: TlsMirror, authority: Issued, tmp_path: Path
) -> None:
    make_base(buildah, tmp_path)
    pki = tmp_path / "pki"
    pki.mkdir()
    own = b"".join(path.read_bytes() for path in host_authorities())
    (pki / "internal-ca.pem").write_bytes(authority.cert_pem + own)
    # Without the kernel, which only libguestfs wants.
    arguments = {"BASE": BASE, "MIRROR": mirror.debian, "SECURITY": mirror.security, "PROFILES": "image"}
    arguments["PYPI"] = index_url()
    source = checkout(tmp_path / "context")
    options = ["--isolation", "chroot", "--network", "host", "--build-context", f"pki={pki}", "--tag", IMAGE]
    options += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    buildah("build", *options, "--file", str(source / "nodepool/Containerfile"), str(source))
    assert "GET /debian/pool/main/d/debootstrap/" in mirror.requests()
    container = buildah("from", IMAGE).strip()
    run = ["run", "--isolation", "chroot", "--network", "host", "--cap-add", "all", container, "--"]
    said = buildah(*run, "bash", "-c", LOOK)
    assert "engine direct  works" in said
    assert "Nodepool version: 11." in said
