"""The gate reads the command line as the installed disk-image-create does."""

import re
from pathlib import Path

import pytest

from airgap_image_factory.gate.options import MEANT, PASSED, Invocation, parse, script, specification
from diskimage_validator.errors import UsageError


def read(*arguments: str, **environment: str) -> Invocation:
    return parse([*arguments, "vm"], environment)


def installed() -> dict[str, bool]:
    """Return every option that the installed script accepts, and whether it takes a value."""
    short, long = specification()
    found = {f"-{letter}": after == ":" for letter, after in re.findall(r"(\w)(:?)", short)}
    return found | {f"--{name.rstrip(':')}": name.endswith(":") for name in long.split(",")}


def test_every_option_of_the_installed_diskimage_builder_is_known() -> None:
    """A new one must be looked at: does it decide about the images? Put it into MEANT or PASSED then."""
    assert set(installed()) == MEANT | PASSED
    assert not MEANT & PASSED


def test_what_the_scripts_own_loop_knows_is_either_accepted_by_it_or_refused_by_us_too() -> None:
    """diskimage-builder 3.43 has two options in its loop that its getopt(1) call does not let through."""
    branches = re.findall(r"(?m)^        (-[\w|-]+)\) ", script().read_text())
    labels = {label for branch in branches for label in branch.split("|")} - {"--"}
    assert set(installed()) <= labels
    for label in labels - set(installed()):
        with pytest.raises(UsageError, match="unrecognized option"):
            read(f"{label}=1")


@pytest.mark.parametrize("option", sorted(PASSED))
def test_what_is_diskimage_builders_is_passed_on(option: str) -> None:
    words = [option, "a value with 'quotes'"] if installed()[option] else [option]
    assert read(*words).passed == tuple(words)
    assert read(*words).elements == ("vm",)


def test_nodepools_call() -> None:
    text = (
        "-x -t qcow2,raw --checksum --no-tmpfs --qemu-img-options compat=0.10 -o /images/node-0000000001 debian-minimal"
    )
    found = read(*text.split())
    assert found.base == Path("/images/node-0000000001")
    assert found.formats == ("qcow2", "raw")
    assert found.elements == ("debian-minimal", "vm")
    assert found.checksums == ("md5", "sha256")
    assert found.qemu_img_options == "compat=0.10"
    assert found.passed == ("-x", "--no-tmpfs")
    assert (found.compress, found.clear_environment, found.informs) == (True, False, False)


def test_abbreviations_clusters_and_empty_values_are_read_as_getopt_does() -> None:
    found = read("-xxun", "--image-s=3", "--root-label", "", "-onode", "--", "-p")
    assert found.passed == ("-x", "-x", "-n", "--image-size", "3", "--root-label", "")
    assert found.base == Path.cwd() / "node"
    assert found.elements == ("-p", "vm")
    assert not found.compress


def test_the_last_of_several_counts() -> None:
    assert read("-t", "raw", "-t", "qcow2,vmdk", "-o", "a", "-o", "b").formats == ("qcow2", "vmdk")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["-o", "node.qcow2"], "node"),
        (["-o", "node.qcow2", "-t", "raw"], "node.qcow2"),
        (["-o", "node.qcow2", "-t", "qcow2,raw"], "node.qcow2"),
        ([], "image"),
    ],
)
def test_a_suffix_is_dropped_where_there_is_one_format(arguments: list[str], name: str) -> None:
    assert read(*arguments).base.name == name


def test_the_environment_says_what_the_command_line_does_not() -> None:
    found = read(IMAGE_NAME="node", QEMU_IMG_OPTIONS="compat=1.1", DIB_CHECKSUM="sha256")
    assert (found.base.name, found.qemu_img_options, found.checksums) == ("node", "compat=1.1", ("sha256",))
    assert read("--checksum", DIB_CHECKSUM="0").checksums == ("md5", "sha256")
    assert read(DIB_CHECKSUM="0").checksums == ()


def test_trees_are_diskimage_builders_and_squashfs_comes_first() -> None:
    found = read("-t", "tar,qcow2,squashfs,docker,vhd")
    assert found.disks == ("qcow2", "vhd")
    assert found.trees[0] == "squashfs"
    assert sorted(found.trees) == ["docker", "squashfs", "tar"]


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_help_needs_no_element(option: str) -> None:
    assert parse([option], {}).informs


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense", "vm"], "unrecognized option '--nonsense'"),
        (["-o"], "requires an argument"),
        (["-t", ",", "vm"], "no format"),
        (["-o", "images/", "vm"], "names no file"),
        ([], "At least one distribution root element"),
    ],
)
def test_wrong_usage(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        parse(arguments, {})
