"""The real image, booted with the disk of a flavor, is judged over SSH as Zuul would reach it: at rest and live."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.engines.boot.options import GIB
from diskimage_validator.facts import dump
from diskimage_validator.runner import inspect
from tests.functional.conftest import BuiltImage
from tests.functional.machine import Machine, boot

POLICY = """\
version: 1
name: our-running-node
extends: container-node-live
live:
  disk: {size: 80 GB, free: 60 GB}
  clock: {max_offset: 30, synchronized: false}  # nobody tells the time on a closed network
  egress:
    blocked: ["192.0.2.1:443"]
  modules: {required: [virtio_net], forbidden: [usb-storage]}
"""
SAME = ("os", "architecture", "packages", "commands", "libraries", "trust", "kernels", "containers", "files")
"""What does not change while a node boots."""


@dataclass(frozen=True)
class Judged:
    """The report on the running node, and the facts of it that ought to be the image's."""

    status: int
    stderr: str
    report: dict[str, Any]
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def judged(node_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    folder = tmp_path_factory.mktemp("live")
    with boot(node_image.path, folder, user="zuul", key=node_image.key, size=80 * GIB) as machine:
        machine.run("systemctl is-system-running --wait || true", timeout=300)
        status, stderr = call(machine, node_image, folder)
        facts = json.loads((folder / "facts.json").read_text())
        yield Judged(status, stderr, json.loads((folder / "report.json").read_text()), facts)


def call(machine: Machine, image: BuiltImage, folder: Path) -> tuple[int, str]:
    """Validate and inspect the node as a user does; return status and errors of the former."""
    (folder / "policy.yaml").write_text(POLICY)
    options = ["--ssh-key", str(image.key), "--host-key", machine.host_key, "--ssh-config", "none"]
    options += ["--ssh-timeout", "120", "--quiet"]
    program = [sys.executable, "-m", "diskimage_validator"]
    target = f"ssh://zuul@127.0.0.1:{machine.port}"
    command = [*program, "validate", target, *options, "--policy", str(folder / "policy.yaml")]
    command += ["--ca", str(image.authority), "--report", f"json={folder / 'report.json'}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    command = [*program, "inspect", target, *options, "--format", "json", "--output", str(folder / "facts.json")]
    subprocess.run(command, check=True)
    return done.returncode, done.stderr


def test_what_does_not_change_is_as_in_the_image(node_image: BuiltImage, judged: Judged) -> None:
    at_rest = dump(inspect(str(node_image.path), only=SAME))
    for name in SAME:
        assert judged.facts[name] == at_rest[name], name


def test_the_node_passes_though_it_has_booted(judged: Judged) -> None:
    wrong = [one for one in judged.report["results"] if one["status"] not in ("pass", "skip")]
    assert wrong == [], judged.stderr
    assert judged.status == 0


def test_the_node_passes_what_is_asked_of_it_live(judged: Judged) -> None:
    found = {
        (one["check"], one["subject"]): one["status"]
        for one in judged.report["results"]
        if one["check"].startswith("live-") and one["check"] not in ("live-registry", "live-tls")
    }
    assert set(found.values()) == {"pass"}, found
    assert {check for check, _ in found} == {
        "live-disk",
        "live-engine",
        "live-clock",
        "live-egress",
        "live-modules",
        "live-entropy",
        "live-units",
    }
