"""Hygiene, growth of the root, files by name and the record of the build: on the real image, sound and broken."""

from pathlib import Path
from typing import Any

import pytest

from tests.functional.conftest import BuiltImage, RunValidator, Workshop
from tests.support import pki

POLICY = """\
version: 1
name: hygiene
extends: container-node
hygiene: {max_log_size: 0 B, resolv_conf: true}
disk:
  {grows_to: 80 GB, format: qcow2, compat: ["1.1"], compression: [zlib, zstd], min_free: 100 MiB,
   min_free_inodes: 10000}
files:
  required: [{path: /etc/passwd, mode: "0644", owner: "root:root"}]
  absent: [/srv/**]
"""
OURS = ("disk", "files", "hygiene", "provenance")
FAULTS = {
    ("hygiene-ssh-host-keys", "/etc/ssh/ssh_host_ed25519_key"),
    ("hygiene-machine-id", "/etc/machine-id"),
    ("hygiene-private-keys", "/root/.ssh/id_ecdsa"),
    ("hygiene-credentials", "/root/.docker/config.json"),
    ("hygiene-credentials", "/etc/dib-manifests/dib_environment"),
    ("hygiene-history", "/root/.bash_history"),
    ("hygiene-cloud-init", "/var/lib/cloud/instance"),
    ("hygiene-leftovers", "/usr/sbin/policy-rc.d"),
    ("hygiene-resolv-conf", "192.0.2.1"),
    ("hygiene-caches", "/tmp/get-pip.py"),
    ("hygiene-logs", "/var/log/dpkg.log"),
    ("hygiene-file-modes", "/usr/local/bin/rootsh"),
    ("hygiene-file-modes", "/etc/profile.d"),
    ("files", "/srv/x"),
    ("provenance", "record"),
    ("disk-growth", "growing the partition"),
}


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "hygiene.yaml"
    path.write_text(POLICY)
    return str(path)


def leave_things_behind(root: Any) -> None:
    """Do what builds, installers and people do to an image."""
    key = pki.private_key("leftover")
    root.write("/etc/ssh/ssh_host_ed25519_key", key)
    root.write("/etc/machine-id", b"0123456789abcdef0123456789abcdef\n")
    root.write("/root/.ssh/id_ecdsa", key)
    root.mkdir_p("/root/.docker")
    root.write("/root/.docker/config.json", b'{"auths": {"registry.internal": {"auth": "c2VjcmV0"}}}')
    root.write_append("/etc/dib-manifests/dib_environment", b'declare -x DIB_REGISTRY_TOKEN="c2VjcmV0"\n')
    root.write("/root/.bash_history", b"mysql -pc2VjcmV0\n")
    root.mkdir_p("/var/lib/cloud")
    root.ln_s("/var/lib/cloud/instances/i-1", "/var/lib/cloud/instance")
    root.write("/usr/sbin/policy-rc.d", b"#!/bin/sh\nexit 101\n")
    root.rm("/etc/resolv.conf")
    root.write("/etc/resolv.conf", b"nameserver 192.0.2.1\n")
    root.write("/tmp/get-pip.py", b"x")
    root.write("/var/log/dpkg.log", b"x")
    root.write("/usr/local/bin/rootsh", b"#!/bin/sh\n")
    root.chmod(0o4755, "/usr/local/bin/rootsh")
    root.chmod(0o777, "/etc/profile.d")
    root.write("/srv/x", b"x")
    root.write("/etc/image-provenance.json", b"{}")
    root.rm("/usr/bin/growpart")


def test_the_real_image_is_clean_and_will_grow(
    node_image: BuiltImage, run_validator: RunValidator, policy: str
) -> None:
    verdict = run_validator(node_image.path, "--policy", policy)
    assert verdict.failed() == set()
    passed = {result["check"] for result in verdict.report["results"] if result["status"] == "pass"}
    assert {check for check, _ in FAULTS} - {"provenance"} <= passed
    assert {"disk", "disk-format"} <= passed


def test_everything_that_was_left_behind_is_found(workshop: Workshop, run_validator: RunValidator, policy: str) -> None:
    with workshop as root:
        leave_things_behind(root)
    verdict = run_validator(workshop.copy, "--policy", policy)
    assert {(check, subject) for check, subject in verdict.failed() if check.startswith(OURS)} == FAULTS
    assert "c2VjcmV0" not in str(verdict.report)
