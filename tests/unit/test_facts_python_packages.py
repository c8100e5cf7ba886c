import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from diskimage_validator.facts import FACTS
from diskimage_validator.facts import python_packages as module
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.python_packages import (
    Distribution,
    PythonEnvironment,
    PythonPackages,
    parse_metadata,
    read_python_packages,
)
from diskimage_validator.facts.scene import Scene
from tests.support.images import program
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine

DEBIAN = "/usr/lib/python3/dist-packages"
VENV = "home = /usr/bin\ninclude-system-site-packages = false\nversion = 3.11.2\n"


def metadata(name: str, version: str) -> str:
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: x\n\nName: not this\n"


def installed(folder: str, name: str, version: str) -> dict[str, Entry]:
    return {f"{folder}/{name}-{version}.dist-info/METADATA": metadata(name, version)}


def system(*versions: str) -> dict[str, Entry]:
    tree: dict[str, Entry] = {f"/usr/bin/python{version}": program() for version in versions}
    return tree | {"/usr/bin/python3": Link(f"python{versions[0]}")}


def read(tree: Mapping[str, Entry]) -> PythonPackages:
    return read_python_packages(Scene(MemoryEngine(tree), FACTS))


def names(environment: PythonEnvironment) -> list[str]:
    return [f"{found.name} {found.version}" for found in environment.distributions]


def test_debian_s_folder_serves_every_interpreter() -> None:
    found = read(system("3.11", "3.12") | installed(DEBIAN, "PyYAML", "6.0"))
    assert [(each.path, each.version, each.kind, names(each)) for each in found.environments] == [
        ("/usr/bin/python3.11", "3.11", "system", ["pyyaml 6.0"]),
        ("/usr/bin/python3.12", "3.12", "system", ["pyyaml 6.0"]),
    ]
    assert found.aliases == {"/usr/bin/python3": "/usr/bin/python3.11"}


@pytest.mark.parametrize(
    "folder",
    [
        "/usr/lib/python3.9/site-packages",
        "/usr/lib64/python3.9/site-packages",
        "/usr/local/lib/python3.9/site-packages",
        "/usr/local/lib64/python3.9/site-packages",
        "/usr/local/lib/python3.9/dist-packages",
    ],
)
def test_the_folders_of_an_interpreter_belong_to_it(folder: str) -> None:
    (found,) = read(system("3.9") | installed(folder, "six", "1")).environments
    assert (found.path, found.folders, names(found)) == ("/usr/bin/python3.9", (folder,), ["six 1"])


def test_an_interpreter_below_usr_local_has_its_own() -> None:
    tree = system("3.11") | {"/usr/local/bin/python3.11": program()}
    tree |= installed("/usr/local/lib/python3.11/site-packages", "six", "1")
    tree |= installed("/usr/local/lib/python3.11/dist-packages", "six", "2")
    found = {each.path: names(each) for each in read(tree).environments}
    assert found == {"/usr/bin/python3.11": ["six 2"], "/usr/local/bin/python3.11": ["six 1"]}


def test_local_folders_come_first() -> None:
    tree = system("3.11") | installed(DEBIAN, "six", "1")
    tree |= installed("/usr/local/lib/python3.11/dist-packages", "six", "2")
    (found,) = read(tree).environments
    assert names(found) == ["six 2", "six 1"]


def test_a_virtual_environment_is_one_by_its_configuration() -> None:
    tree = system("3.11") | {"/opt/x/pyvenv.cfg": VENV} | installed("/opt/x/lib/python3.11/site-packages", "six", "1")
    found = read(tree).environments[1]
    assert (found.path, found.version, found.kind, found.base, names(found)) == (
        "/opt/x",
        "3.11",
        "venv",
        "",
        ["six 1"],
    )


def test_a_virtual_environment_may_see_what_its_base_has() -> None:
    tree = system("3.11") | {"/opt/x/pyvenv.cfg": VENV.replace("false", "true")} | installed(DEBIAN, "six", "1")
    tree |= installed("/opt/x/lib/python3.11/site-packages", "pip", "23")
    found = read(tree)
    assert [each.name for each in found.visible(found.environments[1])] == ["pip", "six"]


def test_an_empty_virtual_environment_is_one_too() -> None:
    (found,) = read({"/opt/x/pyvenv.cfg": VENV}).environments
    assert (found.path, found.version, found.kind, names(found)) == ("/opt/x", "3.11", "venv", [])


def test_a_configuration_that_cannot_be_read_costs_its_keys() -> None:
    tree = {"/opt/x/pyvenv.cfg": Broken()} | installed("/opt/x/lib/python3.11/site-packages", "six", "1")
    assert [(each.kind, each.base) for each in read(tree).environments] == [("venv", "")]


def test_anything_else_with_distributions_is_found_too() -> None:
    tree = installed("/root/.local/lib/python3.11/site-packages", "six", "1")
    (found,) = read(tree).environments
    assert (found.path, found.kind, names(found)) == ("/root/.local", "prefix", ["six 1"])


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("/usr/bin/python3", ["/usr/bin/python3.11"]),
        ("/usr/bin/python3.11", ["/usr/bin/python3.11"]),
        ("/opt/*", ["/opt/a", "/opt/b"]),
        ("/opt/a", ["/opt/a"]),
        ("/srv/*", []),
    ],
)
def test_environments_are_named_by_path_alias_or_pattern(pattern: str, paths: list[str]) -> None:
    found = read(system("3.11") | {"/opt/a/pyvenv.cfg": VENV, "/opt/b/pyvenv.cfg": VENV})
    assert [each.path for each in found.matching(pattern)] == paths


def test_an_egg_info_may_be_a_file_or_a_folder() -> None:
    tree = system("3.11") | {
        f"{DEBIAN}/a.egg-info": metadata("a", "1"),
        f"{DEBIAN}/b.egg-info/PKG-INFO": metadata("b", "2"),
    }
    (found,) = read(tree).environments
    assert names(found) == ["a 1", "b 2"]


def test_metadata_that_says_nothing_is_told_and_hides_nothing() -> None:
    tree = system("3.11") | installed(DEBIAN, "six", "1")
    tree |= {f"{DEBIAN}/a.dist-info/METADATA": "x", f"{DEBIAN}/b.dist-info/x": "", f"{DEBIAN}/c.egg-info": Broken()}
    (found,) = read(tree).environments
    assert names(found) == ["six 1"]
    assert [text.partition(":")[0] for text in found.unreadable] == [
        f"{DEBIAN}/a.dist-info",
        f"{DEBIAN}/b.dist-info",
        f"{DEBIAN}/c.egg-info",
    ]


def test_names_that_are_not_utf8_become_text() -> None:
    found = read(system("3.11") | {f"{DEBIAN}/\udcff.egg-info": metadata("a", "1")})
    assert found.environments[0].distributions == (Distribution("a", "1", f"{DEBIAN}/\\xff.egg-info"),)


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MAX_ENVIRONMENTS", "more than 1 Python environments"),
        ("MAX_DISTRIBUTIONS", "more than 1 Python distributions"),
    ],
)
def test_limits_hold(limit: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 1)
    tree = system("3.11") | installed(DEBIAN, "a", "1") | installed(DEBIAN, "b", "1")
    with pytest.raises(FactError, match=reason):
        read(tree | ({"/opt/x/pyvenv.cfg": VENV} if limit == "MAX_ENVIRONMENTS" else {}))


@pytest.mark.parametrize(
    "text", ["", "Name: a\n", "Version: 1\n", "Name: a\n\nVersion: 1\n", f"Name: a\nVersion: {'1' * 300}\n"]
)
def test_a_head_without_name_and_version_is_an_error(text: str) -> None:
    with pytest.raises(FactError):
        parse_metadata(text.encode())


def test_the_keys_of_a_head_have_no_case_and_the_first_counts() -> None:
    assert parse_metadata(b"name: A.b_C\r\nVERSION: 1\r\nName: x\r\n\r\n") == ("a-b-c", "1")


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_noise_is_an_error_and_nothing_else(noise: bytes) -> None:
    for data in (noise, b"Name: a\nVersion: 1\n" + noise, b"Name: " + noise):
        try:
            name, version = parse_metadata(data)
        except FactError as error:
            assert error.message  # noqa: PT017
        else:
            assert len(name) <= 200
            assert len(version) <= 200


def test_the_environment_of_these_tests_reads_as_its_interpreter_says() -> None:
    code = "import importlib.metadata as m; print(*{d.metadata['Name'] + '=' + d.version for d in m.distributions()})"
    told = subprocess.run([sys.executable, "-Ic", code], capture_output=True, text=True, check=True).stdout.split()
    judge = {(canonicalize_name(name), version) for name, version in (entry.split("=", 1) for entry in told)}
    tree: dict[str, Entry] = {"/venv/pyvenv.cfg": VENV}
    for folder in sys.path:
        for file in Path(folder).glob("*.dist-info/METADATA"):
            tree[f"/venv/lib/python3.11/site-packages/{file.parent.name}/METADATA"] = file.read_bytes()
    (found,) = read(tree).environments
    assert len(found.distributions) == len(tree) - 1
    assert {(each.name, each.version) for each in found.distributions} <= judge
