"""Files of packages, held against what RPM noted of them."""

import hashlib
from array import array
from typing import Any

import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Entry, Folder, Link
from tests.support.rpm_databases import FORMATS, SQLITE_PATH, brings, made, package
from tests.support.rpm_databases import tree as rpm_tree

PROGRAM, MANUAL, CONFIG = "/usr/bin/tool", "/usr/share/doc/tool/manual", "/etc/tool.conf"
FILES: dict[str, bytes | str] = {PROGRAM: b"program", MANUAL: b"manual", CONFIG: b"config", "/usr/bin/t": "tool"}


def rpm(path: str = SQLITE_PATH, **more: Any) -> dict[str, Entry]:
    """Return a tree with a package that brings FILES, as it brings them; ``more``: tags in place of what it says."""
    header = package("tool", **brings(FILES, more))
    there: dict[str, Entry] = {name: Link(value) if isinstance(value, str) else value for name, value in FILES.items()}
    return {**rpm_tree(path, made(path, (header, package("meta")))), **there}


def intact(tree: dict[str, Entry], **rules: Any) -> list[Finding]:
    return ask("packages-intact", tree, images.policy(packages={"intact": rules}))


@pytest.mark.parametrize("path", FORMATS)
def test_rpm_files_are_held_whatever_the_database(path: str) -> None:
    tree = rpm(path)
    assert only(intact(tree)).message == "4 files of 2 packages were held against their digests"
    tree[PROGRAM] = b"other"
    finding = only(intact(tree))
    assert (finding.subject, finding.expected) == (PROGRAM, f"sha256:{hashlib.sha256(b'program').hexdigest()}")


def test_rpm_digests_without_an_algorithm_are_md5() -> None:
    tree = rpm(ALGORITHM=1)
    assert len(failures(intact(tree))) == 3
    md5s = [hashlib.md5(text).hexdigest() for text in (b"program", b"manual", b"config")]
    assert only(intact(rpm(ALGORITHM=1, DIGESTS=[*md5s, ""]))).status is Status.PASS


@pytest.mark.parametrize(
    ("entry", "actual"), [(Link("other"), "other"), (b"tool", "no link"), (Folder(), "a folder"), (None, "missing")]
)
def test_rpm_links_are_held_by_their_text(entry: Entry | None, actual: str) -> None:
    tree = rpm()
    del tree["/usr/bin/t"]
    tree |= {"/usr/bin/t": entry} if entry else {}
    finding = only(intact(tree))
    assert (finding.subject, finding.expected, finding.actual) == ("/usr/bin/t", "tool", actual)


@pytest.mark.parametrize(
    ("state", "gone", "changed"),
    [
        (0, "fails", "fails"),
        (1, "fails", "passes"),
        (2, "passes", "passes"),
        (3, "passes", "passes"),
        (4, "fails", "passes"),
    ],
)
def test_rpm_states_say_what_can_be_held(state: int, gone: str, changed: str) -> None:
    tree = rpm(STATES=array("B", [state, 0, 0, 0]))
    tree[PROGRAM] = b"other"
    assert (only(intact(tree)).status is Status.PASS) == (changed == "passes")
    del tree[PROGRAM]
    assert (only(intact(tree)).status is Status.PASS) == (gone == "passes")


@pytest.mark.parametrize(
    ("flag", "gone", "changed"),
    [(0, "fails", "fails"), (2, "fails", "fails"), (8, "passes", "fails"), (64, "passes", "passes")],
)
def test_rpm_flags_say_what_may_be_gone(flag: int, gone: str, changed: str) -> None:
    tree = rpm(FLAGS=array("I", [flag, 0, 0, 0]))
    tree[PROGRAM] = b"other"
    assert (only(intact(tree)).status is Status.PASS) == (changed == "passes")
    del tree[PROGRAM]
    assert (only(intact(tree)).status is Status.PASS) == (gone == "passes")


def test_rpm_configuration_may_be_edited() -> None:
    tree = rpm(FLAGS=array("I", [0, 0, 17, 0]))
    tree[CONFIG] = b"edited"
    assert only(intact(tree)).message.endswith("; of 1 configuration files 1 differ, as allowed")
    assert only(intact(tree, configuration=True)).subject == CONFIG


def test_rpm_files_that_a_package_exempts_only_have_to_be_there() -> None:
    tree = rpm(VERIFY=array("I", [0, 0xFFFFFFFF, 0xFFFFFFFF, 0]))
    tree |= {PROGRAM: b"other", "/usr/bin/t": Link("nowhere")}
    assert only(intact(tree)).status is Status.PASS
    del tree[PROGRAM]
    assert only(intact(tree)).subject == PROGRAM


@pytest.mark.parametrize(
    "more",
    [
        {"STATES": array("B", [0])},
        {"FLAGS": array("I", [0])},
        {"FOLDER_OF": array("I", [0, 0, 0, 9])},
        {"BASENAMES": ["a"]},
        {"DIGESTS": ["a"]},
        {"MODES": array("I", [0])},
        {"ALGORITHM": 99},
    ],
)
def test_rpm_headers_that_contradict_themselves_could_not_tell(more: dict[str, Any]) -> None:
    with pytest.raises(ValidatorError, match=SQLITE_PATH):
        intact(rpm(**more))


def test_an_rpm_package_without_digests_fails() -> None:
    found = brings(FILES)
    del found["DIGESTS"]
    tree = rpm_tree(SQLITE_PATH, made(SQLITE_PATH, (package("tool", **found),)))
    assert only(intact(tree)).subject == "tool"
