import platform
import shutil
from pathlib import Path

import pytest

from diskimage_validator.errors import TargetError
from diskimage_validator.facts import commands as module
from diskimage_validator.facts.architecture import Evidence, read_architecture
from diskimage_validator.facts.base import FactError, Unreadable
from diskimage_validator.facts.commands import Program, read_commands
from diskimage_validator.facts.elf import HEADER_SIZE, Header, package_machine, parse_header
from diskimage_validator.facts.packages import Package, Packages, parse_status
from tests.support.images import elf, program, stanza
from tests.support.memory_engine import Entry, File, Link, MemoryEngine

NO_PACKAGES = Unreadable("none", "", "")


def look_up(tree: dict[str, Entry], name: str = "tool") -> Program | None:
    return read_commands(MemoryEngine(tree), [name]).programs[name]


@pytest.mark.parametrize(
    ("machine", "bits", "order", "name"),
    [
        (62, 64, "<", "x86_64"),
        (62, 32, "<", "x32"),
        (183, 64, "<", "aarch64"),
        (3, 32, "<", "i686"),
        (21, 64, "<", "ppc64le"),
        (21, 64, ">", "ppc64"),
        (22, 64, ">", "s390x"),
        (243, 64, "<", "riscv64"),
        (9999, 64, "<", "ELF machine 9999, 64 bits"),
    ],
)
def test_the_elf_header_names_the_machine(machine: int, bits: int, order: str, name: str) -> None:
    assert parse_header(elf(machine, bits, order)) == Header("elf", machine=name)


def test_a_program_of_this_host_is_for_this_host() -> None:
    with Path(shutil.which("sh") or "/bin/sh").open("rb") as file:
        assert parse_header(file.read(HEADER_SIZE)).machine == platform.machine()


@pytest.mark.parametrize(
    ("data", "interpreter", "argument"),
    [
        (b"#!/bin/sh\nexit", "/bin/sh", ""),
        (b"#! /usr/bin/python3 -Es\n", "/usr/bin/python3", "-Es"),
        (b"#!/usr/bin/env -S python3 -u \n", "/usr/bin/env", "-S python3 -u"),
        (b"#!\n", "", ""),
        (b"#!/bin/\xff\n", "/bin/\\xff", ""),
    ],
)
def test_a_script_names_its_interpreter(data: bytes, interpreter: str, argument: str) -> None:
    assert parse_header(data) == Header("script", interpreter=interpreter, argument=argument)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF" + bytes(10), b"text", b"MZ"])
def test_anything_else_is_neither(data: bytes) -> None:
    assert parse_header(data) == Header("other")


@pytest.mark.parametrize(("dpkg", "uname"), [("amd64", "x86_64"), ("arm64", "aarch64"), ("riscv64", "riscv64")])
def test_architectures_of_dpkg_have_the_names_of_uname(dpkg: str, uname: str) -> None:
    assert package_machine(dpkg) == uname


def test_a_program_on_path_is_found() -> None:
    path = "/usr/bin/tool"
    assert look_up({path: program()}) == Program(path, path, "ok", "elf", "x86_64", executes=(path,))


def test_a_command_that_is_not_there_is_none() -> None:
    assert look_up({"/opt/bin/tool": program()}) is None


def test_alternatives_are_followed_inside_the_target() -> None:
    tree: dict[str, Entry] = {
        "/usr/bin/tool": Link("/etc/alternatives/tool"),
        "/etc/alternatives/tool": Link("/usr/lib/tool-2"),
        "/usr/lib/tool-2": program(),
    }
    found = look_up(tree)
    assert found is not None
    assert (found.real, found.state) == ("/usr/lib/tool-2", "ok")


def test_a_merged_usr_is_followed() -> None:
    found = look_up({"/bin": Link("usr/bin"), "/usr/bin/tool": program()})
    assert found is not None
    assert found.path == "/usr/bin/tool"


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (Link("/nowhere"), "dangling"),
        (program(mode=0o644), "not-executable"),
        (Link("/etc"), "not-a-file"),
        (File(b"", 0o755), "empty"),
    ],
)
def test_what_cannot_be_run_says_why(entry: Entry, state: str) -> None:
    found = look_up({"/usr/bin/tool": entry, "/etc/x": b""})
    assert found is not None
    assert found.state == state


def test_a_file_without_execute_bit_does_not_shadow_a_program_later_on_path() -> None:
    found = look_up({"/usr/local/bin/tool": program(mode=0o644), "/usr/bin/tool": program()})
    assert found is not None
    assert (found.path, found.state) == ("/usr/bin/tool", "ok")


@pytest.mark.parametrize(
    ("interpreter", "found"), [("/usr/bin/python3", True), ("/usr/bin/perl", False), ("sh", False)]
)
def test_a_script_needs_its_interpreter(interpreter: str, found: bool) -> None:
    tree: dict[str, Entry] = {"/usr/bin/tool": program(f"#!{interpreter}\n".encode()), "/usr/bin/python3": program()}
    tool = look_up(tree)
    assert tool is not None
    assert tool.interpreter_found is found


@pytest.mark.parametrize(
    ("line", "found", "executes"),
    [
        ("#!/usr/bin/env python3", True, ("/usr/bin/env", "/usr/bin/python3.11")),
        ("#!/usr/bin/env -S python3 -u", True, ("/usr/bin/env", "/usr/bin/python3.11")),
        ("#!/usr/bin/env LANG=C python3", True, ("/usr/bin/env", "/usr/bin/python3.11")),
        ("#!/usr/bin/env perl", False, ("/usr/bin/env",)),
        ("#!/usr/bin/env helper", True, ("/usr/bin/env",)),
        ("#!/usr/bin/env", True, ("/usr/bin/env",)),
        ("#!/usr/bin/python3", True, ("/usr/bin/python3.11",)),
        ("#!/usr/bin/helper", True, ("/usr/bin/python3.11",)),
        ("#!/usr/bin/tool", False, ()),
    ],
)
def test_what_a_script_starts_is_followed(line: str, found: bool, executes: tuple[str, ...]) -> None:
    tool = look_up(
        {
            "/usr/bin/tool": program(line.encode() + b"\n"),
            "/usr/bin/env": program(),
            "/usr/bin/python3": Link("python3.11"),
            "/usr/bin/python3.11": program(),
            "/usr/bin/helper": program(b"#!/usr/bin/python3\n"),
        }
    )
    assert tool is not None
    assert (tool.interpreter_found, tool.executes) == (found, executes)


def test_a_pattern_stands_for_all_names_on_path_that_match() -> None:
    found = read_commands(
        MemoryEngine({"/usr/bin/gcc-12": program(), "/usr/sbin/gcc": Link("/nowhere"), "/bin": Link("usr/bin")}),
        ["gcc*", "cc?", "["],
    )
    assert {name: program and program.state for name, program in found.programs.items()} == {
        "[": None,
        "gcc": "dangling",
        "gcc-12": "ok",
    }
    assert found.names == ("gcc", "gcc-12")


def test_the_number_of_names_that_match_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MATCHES", 1)
    with pytest.raises(FactError, match="more than 1 commands match"):
        read_commands(MemoryEngine({"/usr/bin/a": program(), "/usr/bin/b": program()}), ["*"])


def test_the_number_of_names_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NAMES", 1)
    with pytest.raises(FactError, match="more than 1 commands on PATH"):
        look_up({"/usr/bin/a": program(), "/usr/bin/b": program()})


def test_names_that_are_not_utf8_become_text() -> None:
    found = read_commands(MemoryEngine({"/usr/bin/gcc\udcff": program()}), ["gcc*"])
    assert found.names == ("gcc\\xff",)
    (tool,) = found.programs.values()
    assert tool is not None
    assert (tool.path, tool.state) == ("/usr/bin/gcc\\xff", "ok")


def test_a_loop_of_links_is_an_error() -> None:
    with pytest.raises(TargetError, match="more than 40 symbolic links"):
        look_up({"/usr/bin/tool": Link("tool")})


def test_dpkg_and_base_programs_say_what_the_machine_is(tree: dict[str, Entry]) -> None:
    packages = Packages("dpkg", "p", parse_status(stanza("base-files", architecture="amd64").encode(), "p"))
    found = read_architecture(MemoryEngine(tree), packages)
    assert [(sign.source, sign.machine) for sign in found.evidence] == [
        ("package base-files", "x86_64"),
        ("/bin/sh -> /usr/bin/dash", "x86_64"),
        ("/sbin/init -> /lib/systemd/systemd", "x86_64"),
    ]


@pytest.mark.parametrize(
    ("architecture", "machine"), [("x86_64", "x86_64"), ("i686", "i686"), ("armv7hl", "armv7l"), ("s390x", "s390x")]
)
def test_rpm_says_what_the_machine_is(architecture: str, machine: str) -> None:
    packages = (Package("filesystem", "3-1", architecture), Package("rpm", "4-1", "noarch"), Package("jq", "1", "x32"))
    found = read_architecture(MemoryEngine({}), Packages("rpm", "/var/lib/rpm/Packages", packages))
    assert found.evidence == (Evidence("package filesystem", machine),)


def test_a_package_for_all_machines_says_nothing(tree: dict[str, Entry]) -> None:
    packages = Packages("dpkg", "p", parse_status(stanza("base-files", architecture="all").encode(), "p"))
    assert read_architecture(MemoryEngine(tree), packages).evidence[0].source.startswith("/bin/sh")


def test_programs_speak_when_packages_cannot_be_read(tree: dict[str, Entry]) -> None:
    assert read_architecture(MemoryEngine(tree), NO_PACKAGES).machine == "x86_64"


def test_no_sign_of_a_machine_is_an_error() -> None:
    with pytest.raises(FactError, match="no sign of the architecture"):
        read_architecture(MemoryEngine({}), NO_PACKAGES)
