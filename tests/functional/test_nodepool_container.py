"""The builder's container, really built: from an internal mirror, through a CA that nothing but the build knows."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_image_factory.mirror import choose_mirror
from tests.elements.pki import Issued
from tests.functional.conftest import ROOT, host_authorities
from tests.functional.tiny import ELEMENTS, POLICY, TINY_ROOT
from tests.functional.tls_mirror import TlsMirror
from tests.functional.traces import traces

# Not what it is by default, so that it comes from the arguments of the build.
NODEPOOL_ID = 20002
BASE, IMAGE = "localhost/debian-base", "localhost/nodepool-builder"
# What the container's user does first: each line must succeed.
LOOK = """
set -eu
test "$(id -un):$(id -u):$(id -g)" = nodepool:20002:20002
test "$(cat /etc/nodepool/host/secure.conf)" = "for the group alone"
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
# Then the gate builds: mounts, loop devices, sudo and validation are this container's. buildah hides /sys/dev, by which
# losetup knows what is attached, and `podman run --privileged` does not.
BUILD = """
set -eu
while sudo umount /sys/dev 2>/dev/null; do :; done
export ELEMENTS_PATH="/tiny/elements:$(diskimage-validator elements-path)"
export DIB_GATE_POLICY=/tiny/policy.yaml DIB_GATE_STATE="$PWD/gate" DIB_IMAGE_CACHE="$PWD/cache" TMPDIR="$PWD/tmp"
export DIB_VALIDATE_ROOT_COMMAND="$(command -v diskimage-validator)"
disk-image-create-validated -t qcow2 --checksum -o "$PWD/images/tiny" tiny-root block-device-loop-mbr
sha256sum images/tiny.qcow2
cat images/tiny.qcow2.sha256
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


def secure_file(folder: Path) -> Path:
    """Return a folder with a file as step 4 of the README makes it: root's, and for the group nodepool to read."""
    folder.mkdir()
    file = folder / "secure.conf"
    file.write_text("for the group alone")
    file.chmod(0o640)
    os.chown(file, 0, NODEPOOL_ID)
    return folder


def tiny(folder: Path) -> Path:
    """Return a folder with the policy and the elements of a build of tiny-root."""
    shutil.copytree(ELEMENTS, folder / "elements")
    (folder / "policy.yaml").write_text(POLICY)
    return folder


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
    arguments |= {"PYPI": index_url(), "NODEPOOL_UID": str(NODEPOOL_ID), "NODEPOOL_GID": str(NODEPOOL_ID)}
    source = checkout(tmp_path / "context")
    options = ["--isolation", "chroot", "--network", "host", "--build-context", f"pki={pki}", "--tag", IMAGE]
    options += [f"--build-arg={name}={value}" for name, value in arguments.items()]
    buildah("build", *options, "--file", str(source / "nodepool/Containerfile"), str(source))
    assert "GET /debian/pool/main/d/debootstrap/" in mirror.requests()
    container = buildah("from", IMAGE).strip()
    mounts = [f"--volume={secure_file(tmp_path / 'etc')}:/etc/nodepool/host:ro"]
    mounts += [f"--volume={tiny(tmp_path / 'tiny')}:/tiny:ro"]
    # A name that /etc/hosts has, as with `podman run --network host`: sudo complains of any other.
    run = ["run", "--isolation", "chroot", "--network", "host", "--hostname", "localhost", "--cap-add", "all", *mounts]
    said = buildah(*run, container, "--", "bash", "-c", LOOK)
    assert "engine direct  works" in said
    assert "Nodepool version: 11." in said
    settings = [f"--env={name}={value}" for name, value in TINY_ROOT.items()]
    said = buildah(*run, *settings, container, "--", "bash", "-c", BUILD)
    made, told = (line.split()[0] for line in said.splitlines()[-2:])
    assert made == told
    assert traces(tmp_path) == []
