"""The ssh engine against testinfra, on one running node (``--node ssh://USER@HOST``, ``--ssh-config FILE``).

testinfra asks a few of the questions that the policy asks: packages, services, a file. What it needs for each is a
command on the node.
"""

import importlib.util
import sys

from benchmarks.measure import Case, measure
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import Setup

QUESTIONS = """
import pytest

@pytest.mark.parametrize("name", ["skopeo", "buildah", "jq", "sudo", "ca-certificates"])
def test_package(host, name):
    assert host.package(name).is_installed

@pytest.mark.parametrize("name", ["ssh", "systemd-networkd", "systemd-resolved"])
def test_service(host, name):
    host.service(name).is_enabled

def test_bundle(host):
    assert host.file("/etc/ssl/certs/ca-certificates.crt").exists
"""


def run(setup: Setup) -> list[Comparison]:
    """Measure both."""
    missing = "" if setup.node else "no node: name one with --node"
    if not importlib.util.find_spec("testinfra"):
        missing = "the extra 'bench' is not installed (pytest-testinfra)"
    questions = setup.scratch / "test_node.py"
    questions.write_text(QUESTIONS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--hosts={setup.node}"]
    config = ("--ssh-config", setup.ssh_config) if setup.ssh_config else ()
    peer = Case("testinfra, nine questions", [*command, *config, str(questions)], good=(0, 1), missing=missing)
    ours = setup.ours("ssh", setup.node, options=config)
    cases = [Case(ours.name, ours.command, good=ours.good, missing="" if setup.node else missing), peer]
    return [Comparison("testinfra", "ssh engine, full policy, against testinfra", measure(cases, setup.rounds, say))]
