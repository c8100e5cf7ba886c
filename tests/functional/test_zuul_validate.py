"""The job of the manual that judges a node, played by Ansible: from a second node, over a real sshd."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.policy import load_policy
from tests.functional.ssh_node import Node, run_node
from tests.functional.zuul_application import ROOT, Build, Zuul, install

JOB, HOST_KEY = "validate-debian-bookworm-airgap", "etc/ssh/ssh_host_ed25519_key.pub"


@pytest.fixture(scope="module")
def zuul(image_folder: Path) -> Zuul:
    return install(image_folder / "zuul")


@pytest.fixture(scope="module")
def job(zuul: Zuul) -> dict[str, Any]:
    """Return the job of the sample, with the playbooks of its parent."""
    ours, sample = zuul.parsed(ROOT / ".zuul.d/jobs.yaml", ROOT / "zuul-samples/images.yaml")
    found: dict[str, Any] = sample["jobs"][JOB]
    parent = ours["jobs"][found["parent"]]
    return {**parent, **found, "run": parent["run"], "post_run": parent["post_run"]}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Run a node without the validator, to which zuul has a key."""
    with run_node(tmp_path_factory.mktemp("node")) as running:
        (running.root / HOST_KEY).write_text(f"{running.server.host_key} root@node\n")
        authorized_keys(running).parent.mkdir()
        authorized_keys(running).write_text("ssh-ed25519 AAAA of somebody else\n")
        zuul = authorized_keys(running).parents[1].stat()
        for path in (authorized_keys(running), authorized_keys(running).parent):
            os.chown(path, zuul.st_uid, zuul.st_gid)
        yield running


def authorized_keys(node: Node) -> Path:
    return node.root / "home/zuul/.ssh/authorized_keys"


@pytest.fixture
def build(zuul: Zuul, job: dict[str, Any], node: Node, tmp_path: Path) -> Build:
    """Return a build of the job whose nodes are this host, which builds images and has the validator, and ``node``."""
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"[127.0.0.1]:{node.server.port} {node.server.host_key}\n")
    options = f"-F none -o ControlMaster=no -o UserKnownHostsFile={known_hosts} -o StrictHostKeyChecking=yes"
    reached = {
        "ansible_connection": "ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": node.server.port,
        "ansible_user": "zuul",
        "ansible_ssh_private_key_file": str(node.server.key),
        "ansible_ssh_args": options,
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_remote_tmp": "/home/zuul/.ansible",
    }
    assert set(job["nodes"].values()) == {"image-builder", "debian-bookworm-airgap"}
    hosts = {name: reached if label == "debian-bookworm-airgap" else {} for name, label in job["nodes"].items()}
    program = tmp_path / "diskimage-validator"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m diskimage_validator "$@"\n')
    program.chmod(0o755)
    # In place of what is on a node with the label image-builder.
    variables = {"diskimage_validator_command": str(program), "diskimage_cas": []}
    return Build(zuul, tmp_path / "build", variables, hosts, job["groups"])


def test_the_image_needs_no_validator_to_be_judged(build: Build, job: dict[str, Any], node: Node) -> None:
    policy = build.folder / "policy.yaml"
    policy.write_text("version: 1\nname: node\nos:\n  any: [{id: debian}]\n")
    build.variables["diskimage_policy"] = str(policy)
    before = authorized_keys(node).read_text()
    assert build.run(job), build.output
    reports = {report["metadata"]["format"]: report for report in build.artifacts("image_validation_report")}
    report = json.loads((build.logs / reports["json"]["url"]).read_text())
    assert report["target"]["name"] == f"ssh://zuul@127.0.0.1:{node.server.port}"
    assert report["engine"] == "ssh"
    assert reports["html"]["metadata"]["verdict"] == "passed"
    # The key for this one time let it in, and nothing is left of it.
    assert " validate-node" in build.output
    assert authorized_keys(node).read_text() == before
    assert list(Path("/tmp").glob("ansible.*validate-node")) == []


def test_a_node_with_another_host_key_than_zuul_has_seen_is_not_judged(
    build: Build, job: dict[str, Any], node: Node
) -> None:
    honest = (node.root / HOST_KEY).read_text()
    (node.root / HOST_KEY).write_text(f"{node.server.key.with_suffix('.pub').read_text()}\n")
    try:
        assert not build.run(job)
    finally:
        (node.root / HOST_KEY).write_text(honest)
    assert "which is not what --host-key says" in build.output
    assert "validate-node" not in authorized_keys(node).read_text()


def test_the_policy_of_the_job_asks_for_nothing_that_only_an_image_at_rest_has(job: dict[str, Any]) -> None:
    asked = load_policy(job["variables"]["diskimage_policy"]).rules
    assert asked.hygiene == type(asked.hygiene)()
    assert asked.live.container_engine
    assert asked.access.sshd == load_policy("container-node").rules.access.sshd
