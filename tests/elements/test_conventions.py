"""What every element has to keep: DIB's own lint, and the traps that its lint does not see."""

import collections
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from diskimage_builder.element_dependencies import get_elements

from tests.elements.fakeroot import DIB_ELEMENTS, ELEMENTS, ELEMENTS_PATH
from tests.elements.families import FAMILIES
from tests.elements.packages import packages

NAMES = sorted(path.name for path in ELEMENTS.iterdir() if path.is_dir())
PHASES = {
    "root.d", "extra-data.d", "pre-install.d", "install.d", "post-install.d", "post-root.d", "block-device.d",
    "pre-finalise.d", "finalise.d", "cleanup.d",
}  # fmt: skip
PREAMBLE = """\
if [ "${DIB_DEBUG_TRACE:-0}" -gt 0 ]; then
    set -x
fi
set -eu
set -o pipefail
"""
DISTRIBUTIONS = {
    "debian": ("bookworm", "trixie"),
    "ubuntu": ("jammy", "noble"),
    "rocky": ("9", "10"),
    "centos": ("9-stream", "10-stream"),
    "fedora": ("42",),
    "opensuse": ("15.6", "tumbleweed"),
}

each_element = pytest.mark.parametrize("element", NAMES)


def hooks(element: str) -> list[Path]:
    return sorted(path for phase in PHASES for path in (ELEMENTS / element / phase).glob("*"))


def environment_files(element: str) -> list[Path]:
    return sorted((ELEMENTS / element / "environment.d").glob("*"))


def exported(element: str) -> list[str]:
    return re.findall(r"(?m)^export (\w+)=", "".join(path.read_text() for path in environment_files(element)))


def package_installs(element: str) -> dict[str, list[dict[str, object]]]:
    """Return generic package name to its list of parameter sets."""
    path = ELEMENTS / element / "package-installs.yaml"
    entries = yaml.safe_load(path.read_text()) if path.exists() else {}
    return {name: value if isinstance(value, list) else [value or {}] for name, value in entries.items()}


def test_there_are_elements() -> None:
    assert len(NAMES) >= 4


def test_dib_lint_passes(tmp_path: Path) -> None:
    """It asks git what is ignored, reads the tox.ini beside it, and runs python and flake8: all from the venv."""
    shutil.copytree(ELEMENTS, tmp_path / "elements", symlinks=True)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    env = {**os.environ, "ELEMENTS_DIR": "elements", "LIB_DIR": "elements", "PATH": path}
    lint = subprocess.run(["dib-lint"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    complaints = [line for line in lint.stdout.splitlines() if not line.startswith(("Checking", "Parsing"))]
    assert lint.returncode == 0, "\n".join(complaints) + lint.stderr
    assert "PASS" in complaints


def test_shellcheck_passes() -> None:
    scripts = [
        path
        for path in ELEMENTS.rglob("*")
        if path.is_file() and re.match(rb"#!.*sh\b|# shellcheck shell=", path.read_bytes())
    ]
    assert scripts
    sourced = [path for element in NAMES for path in environment_files(element)]
    for options, files in ((["-x"], scripts), (["-s", "bash"], sourced)):
        check = subprocess.run(["shellcheck", *options, *files], capture_output=True, text=True, check=False)
        assert check.returncode == 0, check.stdout + check.stderr


@each_element
def test_hook_folders_are_phases(element: str) -> None:
    """DIB ignores a folder such as preinstall.d without a word."""
    folders = {path.name for path in (ELEMENTS / element).glob("*.d")}
    assert folders <= PHASES | {"environment.d"}


@each_element
def test_dib_would_run_every_hook(element: str) -> None:
    """A hook with a dot in its name or without its run bit is skipped silently."""
    for hook in hooks(element):
        assert re.fullmatch(r"\d\d-[0-9A-Za-z_-]+", hook.name), hook
        assert os.access(hook, os.X_OK), hook


@each_element
def test_hooks_begin_with_the_preamble_of_dib(element: str) -> None:
    for hook in hooks(element):
        assert re.match(rf"#!/bin/bash\n(#.*\n|\n)*{re.escape(PREAMBLE)}", hook.read_text()), hook


@each_element
def test_hooks_do_not_use_die(element: str) -> None:
    """It exits with the status of the command before, which may be 0."""
    for hook in hooks(element):
        assert not re.search(r"(?m)(^|[;&|]|\bthen|\belse)\s*die\b", hook.read_text()), hook


@each_element
def test_file_names_carry_the_name_of_the_element(element: str) -> None:
    for path in [*hooks(element), *environment_files(element)]:
        assert element in path.name, path


def test_no_two_elements_share_a_hook_or_a_static_file() -> None:
    """All elements of a build are merged into one folder; those of DIB count, too."""
    owners = collections.defaultdict(set)
    for folder in [*(ELEMENTS / name for name in NAMES), *(path for path in DIB_ELEMENTS.iterdir() if path.is_dir())]:
        for path in (*folder.glob("*.d/*"), *folder.glob("bin/*"), *(folder / "static").rglob("*")):
            if path.is_file():
                owners[path.relative_to(folder)].add(folder.name)
    clashes = {str(path): names for path, names in owners.items() if len(names) > 1 and names & set(NAMES)}
    assert not clashes


@each_element
def test_environment_files_only_give_defaults(element: str) -> None:
    """They are sourced many times, inside and outside: anything but a default would undo the operator's choice."""
    for path in environment_files(element):
        assert re.fullmatch(r"[0-9A-Za-z_.-]+", path.name), path
        assert not os.access(path, os.X_OK), path
        for line in path.read_text().splitlines():
            assert not line or line.startswith("#") or re.fullmatch(r"export (DIB_\w+)=\$\{\1:-[^`]*\}", line), line
            assert "$(" not in line, line


@each_element
def test_readme_has_a_title(element: str) -> None:
    line = "=" * len(element)
    assert (ELEMENTS / element / "README.rst").read_text().startswith(f"{line}\n{element}\n{line}\n\n")


@each_element
def test_readme_documents_every_variable(element: str) -> None:
    readme = (ELEMENTS / element / "README.rst").read_text()
    for variable in exported(element):
        block = re.search(rf"(?m)^{variable}\n((?:[ ].*\n|\n)+)", readme + "\n")
        assert block, f"{variable} is not documented"
        fields = re.findall(r"(?m)^  :(\w+): \S", block[0])
        assert fields == ["Required", "Default", "Description", "Example"], variable


@each_element
def test_readme_documents_no_variable_that_is_not_there(element: str) -> None:
    readme = (ELEMENTS / element / "README.rst").read_text()
    assert set(re.findall(r"(?m)^(DIB_\w+)\n  :Required:", readme)) == set(exported(element))


@each_element
def test_index_names_the_element_and_its_variables(element: str) -> None:
    index = (ELEMENTS / "README.rst").read_text()
    assert {name for name in [element, *exported(element)] if f"``{name}``" not in index} == set()


@each_element
def test_element_deps_are_sorted_names(element: str) -> None:
    """Each line is taken for an element, a comment as well."""
    path = ELEMENTS / element / "element-deps"
    lines = path.read_text().splitlines() if path.exists() else []
    assert lines == sorted(set(lines))
    assert all(re.fullmatch(r"[a-z0-9-]+", line) for line in lines)


@pytest.mark.parametrize("family", FAMILIES)
@each_element
def test_dependencies_resolve_for_every_family(element: str, family: str) -> None:
    resolved = dict(get_elements([FAMILIES[family].os_element, element], ELEMENTS_PATH))
    assert resolved[element] == str(ELEMENTS / element)


@each_element
def test_package_installs_have_no_silent_trap(element: str) -> None:
    for name, variants in package_installs(element).items():
        for parameters in variants:
            # DIB looks for the key only: "uninstall: false" removes the package.
            assert parameters.get("uninstall", True) is True, name
            assert parameters.get("phase", "install.d") in PHASES, name
            conditions = parameters.get("when", [])
            for condition in conditions if isinstance(conditions, list) else [conditions]:
                variable = re.match(r"\w+", str(condition))
                assert variable, condition
                assert variable[0] in exported(element), f"{name}: {variable[0]} may be unset, which ends the build"


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@pytest.mark.parametrize("element", [name for name in NAMES if package_installs(name)])
def test_package_names_resolve_with_dibs_own_programs(element: str, distribution: str) -> None:
    for release in DISTRIBUTIONS[distribution]:
        names = packages(element, distribution, release)
        assert names
        assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]+", name) for name in names), names


@each_element
def test_pkg_map_names_only_what_the_element_installs(element: str) -> None:
    """A misspelt key would leave the generic name in place."""
    path = ELEMENTS / element / "pkg-map"
    pkg_map = json.loads(path.read_text()) if path.exists() else {}
    tables = [pkg_map.get("default", {}), *pkg_map.get("family", {}).values(), *pkg_map.get("distro", {}).values()]
    tables += [table for releases in pkg_map.get("release", {}).values() for table in releases.values()]
    used = set(package_installs(element))
    by_hand = " ".join(hook.read_text() for hook in hooks(element))
    unknown = {name for table in tables for name in table if name not in used and name not in by_hand}
    assert not unknown


@each_element
def test_pkg_map_knows_only_families_and_distributions_of_dib(element: str) -> None:
    path = ELEMENTS / element / "pkg-map"
    pkg_map = json.loads(path.read_text()) if path.exists() else {}
    distributions = {"almalinux", "centos", "debian", "fedora", "openeuler", "opensuse", "rhel", "rocky", "ubuntu"}
    assert pkg_map.keys() <= {"default", "family", "distro", "release"}
    assert pkg_map.get("family", {}).keys() <= {"debian", "redhat", "suse"}
    assert pkg_map.get("distro", {}).keys() | pkg_map.get("release", {}).keys() <= distributions
