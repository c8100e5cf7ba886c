import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, only
from tests.support.elf_files import LOADER, library, linked
from tests.support.memory_engine import Broken, Entry, File, Link

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


def loaded(tree: dict[str, Entry], *needed: str) -> None:
    """Make skopeo a program with a loader, libfirst.so.1, and what is named here."""
    tree[LOADER] = images.program(library("ld-linux-x86-64.so.2"))
    tree["/usr/lib/libfirst.so.1"] = library("libfirst.so.1", needed=["libsecond.so.1"])
    tree["/usr/lib/libsecond.so.1"] = library("libsecond.so.1")
    tree["/usr/bin/skopeo"] = images.program(linked("libfirst.so.1", *needed))


def test_a_program_whose_libraries_are_there_passes(tree: dict[str, Entry]) -> None:
    loaded(tree)
    assert require(tree, "skopeo").status is Status.PASS


def test_a_library_that_is_missing_is_named(tree: dict[str, Entry]) -> None:
    loaded(tree)
    del tree["/usr/lib/libfirst.so.1"]
    finding = require(tree, "skopeo")
    assert finding.status is Status.FAIL
    assert finding.message == "/usr/bin/skopeo needs libfirst.so.1, which is not in the image"


def test_a_library_that_a_library_needs_is_named_with_it(tree: dict[str, Entry]) -> None:
    loaded(tree)
    del tree["/usr/lib/libsecond.so.1"]
    message = require(tree, "skopeo").message
    assert message.endswith("needs libsecond.so.1 (through /usr/lib/libfirst.so.1), which is not in the image")


def test_a_library_for_another_machine_is_told(tree: dict[str, Entry]) -> None:
    loaded(tree)
    tree["/usr/lib/libsecond.so.1"] = library("libsecond.so.1", machine=183)
    message = require(tree, "skopeo").message
    assert message.endswith(
        "libsecond.so.1 (through /usr/lib/libfirst.so.1), /usr/lib/libsecond.so.1 is made for aarch64"
    )


def test_only_some_of_many_missing_libraries_are_named(tree: dict[str, Entry]) -> None:
    loaded(tree, *(f"lib{number}.so" for number in range(8)))
    assert require(tree, "skopeo").message.endswith("and 3 more that are not there")


def test_a_loader_that_is_missing_is_told(tree: dict[str, Entry]) -> None:
    loaded(tree)
    del tree[LOADER]
    assert require(tree, "skopeo").message == f"/usr/bin/skopeo is loaded by {LOADER}, which is not there"


def test_a_program_that_is_cut_off_is_told(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/skopeo"] = images.program(linked("libfirst.so.1")[:-1])
    assert require(tree, "skopeo").message.startswith("/usr/bin/skopeo is a truncated ELF file")


def test_a_script_whose_interpreter_lacks_a_library_fails(tree: dict[str, Entry]) -> None:
    tree |= {"/usr/bin/tool": images.program(b"#!/usr/bin/env python3\n"), "/usr/bin/env": images.program()}
    tree["/usr/bin/python3"] = images.program(linked("libexpat.so.1"))
    tree[LOADER] = images.program(library("ld-linux-x86-64.so.2"))
    assert "/usr/bin/python3 needs libexpat.so.1" in require(tree, "tool").message


def test_a_library_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    loaded(tree)
    tree["/usr/lib/libsecond.so.1"] = Broken()
    finding = require(tree, "skopeo")
    assert finding.status is Status.ERROR
    assert "Input/output error" in finding.message


def test_a_sound_alternative_outweighs_a_doubtful_one(tree: dict[str, Entry]) -> None:
    loaded(tree)
    tree["/usr/lib/libsecond.so.1"] = Broken()
    assert require(tree, "skopeo", "podman").status is Status.PASS
