import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, only
from tests.support.memory_engine import Entry, File, Link

CHECK = "commands-required"


def require(tree: dict[str, Entry], *names: str) -> Finding:
    policy = images.policy(commands={"required": [" | ".join(names)]})
    return only(ask(CHECK, tree, policy, commands=names))


def test_a_program_on_path_passes(tree: dict[str, Entry]) -> None:
    finding = require(tree, "skopeo")
    assert (finding.status, finding.path, finding.actual) == (Status.PASS, "/usr/bin/skopeo", "x86_64")


def test_an_alternative_passes(tree: dict[str, Entry]) -> None:
    assert require(tree, "docker", "podman").path == "/usr/bin/podman"


def test_a_sound_alternative_outweighs_a_broken_one(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/docker"] = Link("/nowhere")
    assert require(tree, "docker", "podman").status is Status.PASS


def test_a_script_passes_if_its_interpreter_is_there(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/tool"] = images.program(b"#!/bin/sh\n")
    assert require(tree, "tool").actual == "script for /bin/sh"


def test_a_file_removed_by_hand_fails_though_its_package_is_installed(tree: dict[str, Entry]) -> None:
    del tree["/usr/bin/skopeo"]
    assert require(tree, "skopeo").message.startswith("skopeo is not on PATH (/usr/local/sbin:")
    packages = images.policy(packages={"required": ["skopeo"]})
    assert only(ask("packages-required", tree, packages)).status is Status.PASS


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (Link("/opt/skopeo"), "/usr/bin/skopeo is a link to /opt/skopeo, which is not there"),
        (images.program(mode=0o644), "/usr/bin/skopeo is not executable"),
        (Link("/etc"), "/usr/bin/skopeo is no regular file"),
        (File(b"", 0o755), "/usr/bin/skopeo is an empty file"),
        (images.program(b"text"), "neither an ELF program nor a script"),
        (images.program(b"#!/usr/bin/perl\n"), "its interpreter '/usr/bin/perl' is not there"),
        (images.program(images.elf(183)), "is made for aarch64, the image for x86_64 (says package dpkg)"),
        (images.program(images.elf(3, 32)), "is made for i686, the image for x86_64"),
    ],
)
def test_what_cannot_be_run_fails_with_its_reason(tree: dict[str, Entry], entry: Entry, message: str) -> None:
    tree["/usr/bin/skopeo"] = entry
    finding = require(tree, "skopeo")
    assert finding.status is Status.FAIL
    assert message in finding.message


def test_a_command_that_nobody_looked_for_is_neither_there_nor_missing(tree: dict[str, Entry]) -> None:
    policy = images.policy(commands={"required": ["nonesuch"]})
    with pytest.raises(ValidatorError, match="nobody looked for the command 'nonesuch'"):
        list(CHECKS[CHECK].run(Question(facts_of(tree), policy, pki.NOW)))


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
