import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.relations import OPERATORS
from diskimage_validator.versions import VersionError, compare, in_bounds

# In ascending order; versions on one line are equal.
RPM = [
    ["1.0~~"],
    ["1.0~rc1", "1.0~rc_1", "1.0~rc01"],
    ["1.0~rc1^git1"],
    ["1.0~rc2"],
    ["1.0", "1_0", "1.00", "01.0", "0:1.0", "1..0"],
    ["1.0-1.el9~bootstrap"],
    ["1.0-1.el9"],
    ["1.0-1.el9_4"],
    ["1.0-1.el10"],
    ["1.0-2"],
    ["1.0^"],
    ["1.0^20240101"],
    ["1.0^20240101.1"],
    ["1.0a", "1.0.a"],
    ["1.0.1"],
    ["1.9.3"],
    ["1.10"],
    ["1:0.1-1"],
    ["2:4.9.4-12.el9"],
]
DPKG = [
    ["1.0~rc1"],
    ["1.0", "0:1.0", "1.0-0", "1.00"],
    ["1.0-1~bpo12+1"],
    ["1.0-1"],
    ["1.0-1+b1"],
    ["1.0-1+deb12u1"],
    ["1.0+dfsg-1"],
    ["1.9.3"],
    ["1.10"],
    ["1:0.1"],
]


@pytest.mark.parametrize(("manager", "ladder"), [("rpm", RPM), ("dpkg", DPKG)])
def test_versions_are_in_the_managers_own_order(manager: str, ladder: list[list[str]]) -> None:
    flat = [(step, version) for step, versions in enumerate(ladder) for version in versions]
    for step, version in flat:
        for other_step, other in flat:
            assert compare(manager, version, other) == (step > other_step) - (step < other_step), (version, other)


@pytest.mark.skipif(not shutil.which("rpm"), reason="rpm is the judge")
def test_the_order_is_that_of_librpm() -> None:
    versions = [version for step in RPM for version in step]
    pairs = [(a, b) for a in versions for b in versions]
    calls = ";".join(f"io.write(rpm.vercmp('{a}','{b}'),' ')" for a, b in pairs)
    told = subprocess.run(["rpm", "--eval", f"%{{lua:{calls}}}"], capture_output=True, text=True, check=True).stdout
    assert told.split() == [str(compare("rpm", a, b)) for a, b in pairs]


@pytest.mark.parametrize(
    ("manager", "version", "relation", "bound"),
    [
        ("dpkg", "5:24.0.7-1", ">=", "24"),
        ("dpkg", "5:24.0.7-1", ">=", "5:24"),
        ("dpkg", "5:24.0.7-1", "<<", "6:1"),
        ("rpm", "2:4.9.4-12.el9", ">=", "4.9"),
        ("rpm", "2:4.9.4-12.el9", "=", "4.9.4"),
        ("rpm", "2:4.9.4-12.el9", "<=", "4.9.4"),
        ("rpm", "2:4.9.4-12.el9", "=", "4.9.4-12.el9"),
        ("rpm", "2:4.9.4-12.el9", ">>", "1:9"),
        ("rpm", "2:4.9.4-12.el9", "=", "2:4.9.4"),
        ("rpm", "1.0^git1-1", ">>", "1.0"),
        ("rpm", "1.0~rc1-1", "<<", "1.0"),
    ],
)
def test_in_bounds(manager: str, version: str, relation: str, bound: str) -> None:
    assert in_bounds(manager, version, relation, bound)


@pytest.mark.parametrize(
    ("manager", "version", "relation", "bound"),
    [
        ("dpkg", "5:24.0.7-1", ">=", "6:1"),
        ("dpkg", "4.3.1+ds1-8", "=", "4.3.1"),
        ("rpm", "2:4.9.4-12.el9", ">>", "4.9.4"),
        ("rpm", "2:4.9.4-12.el9", ">=", "4.9.4-13"),
        ("rpm", "4.9.4-12.el9", ">=", "1:1"),
    ],
)
def test_out_of_bounds(manager: str, version: str, relation: str, bound: str) -> None:
    assert not in_bounds(manager, version, relation, bound)


@pytest.mark.parametrize("manager", ["dpkg", "rpm"])
@pytest.mark.parametrize("text", ["", " ", "1.0\n", "1\n2", "1" * 256, "-1", ":1", "1:", "x:1", "1 0", "\u0661", "1.ö"])
def test_what_is_no_version_is_an_error(manager: str, text: str) -> None:
    with pytest.raises(VersionError, match="is no version of"):
        compare(manager, text, "1")


def test_an_unknown_manager_is_an_error() -> None:
    with pytest.raises(VersionError, match="'apk' is not known"):
        compare("apk", "1", "1")


@settings(deadline=None)  # a busy host is no failure
@given(st.sampled_from(["dpkg", "rpm"]), st.text(), st.sampled_from(OPERATORS), st.text())
def test_any_text_has_an_order_or_is_an_error(manager: str, version: str, relation: str, bound: str) -> None:
    try:
        in_bounds(manager, version, relation, bound)
    except VersionError:
        return
