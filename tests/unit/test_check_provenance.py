import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import dump, replay
from diskimage_validator.facts.provenance import PATH, parse_provenance
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, failures, only
from tests.support.memory_engine import Broken, Entry

CHECK = "provenance"
INTERNAL = pki.sha256(pki.certificate("Internal CA"))


def record(**changes: Any) -> dict[str, Any]:
    packages = [
        {"name": name, "version": version, "architecture": "amd64"} for name, version in images.PACKAGES.items()
    ]
    return {
        "schema_version": 1,
        "distribution": "debian",
        "release": "bookworm",
        "architecture": "amd64",
        "source_date_epoch": None,
        "tools": {"diskimage-builder": "3.40"},
        "elements": [{"name": "vm", "sha256": "0" * 64, "git_commit": None, "git_modified": None}],
        "mirrors": {"DIB_DISTRIBUTION_MIRROR": "https://mirror.internal/debian"},
        "trusted_ca_sha256": [INTERNAL],
        "packages": packages,
        **changes,
    }


@pytest.fixture
def tree() -> dict[str, Entry]:
    return images.debian() | {PATH: json.dumps(record())}


def judge(tree: dict[str, Entry], **rules: bool) -> list[Finding]:
    return ask(CHECK, tree, images.policy(provenance={"required": True, "matches": True, **rules}))


def test_a_record_that_matches_passes(tree: dict[str, Entry]) -> None:
    findings = judge(tree)
    assert [(finding.subject, finding.status) for finding in findings] == [
        ("record", Status.PASS),
        ("packages", Status.PASS),
        ("CAs", Status.PASS),
    ]


def test_a_missing_record_fails_if_it_is_required(tree: dict[str, Entry]) -> None:
    del tree[PATH]
    assert only(judge(tree)).status is Status.FAIL
    assert "image-provenance" in only(judge(tree)).hint
    assert only(judge(tree, required=False)).status is Status.SKIP


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the document"),
        ("{", "the document"),
        ("[]", "the document"),
        (json.dumps(record(schema_version=2)), "schema_version is 2"),
        (json.dumps(record(packages="x")), "packages"),
        (json.dumps(record(trusted_ca_sha256=["x"])), "trusted_ca_sha256.0"),
        (json.dumps({key: value for key, value in record().items() if key != "packages"}), "packages"),
        ("[" * 100_000, "the document"),
    ],
)
def test_what_is_no_record_fails(tree: dict[str, Entry], text: str, said: str) -> None:
    tree[PATH] = text
    finding = only(judge(tree, required=False))
    assert (finding.subject, finding.status, said in finding.message) == ("record", Status.FAIL, True), finding.message


def test_fields_of_a_later_time_are_passed_over(tree: dict[str, Entry]) -> None:
    tree[PATH] = json.dumps(record(more={"x": 1}))
    assert failures(judge(tree)) == []


def status_with(tree: dict[str, Entry], **packages: str | None) -> None:
    wanted = {name: version for name, version in (images.PACKAGES | packages).items() if version is not None}
    tree[images.STATUS] = images.status(wanted)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"jq": "1.7"}, "1.6-2.1 is recorded, but 1.7 is installed"),
        ({"jq": None}, "1.6-2.1 is recorded, but not installed"),
    ],
)
def test_a_package_that_differs_fails(tree: dict[str, Entry], changes: dict[str, Any], message: str) -> None:
    status_with(tree, **changes)
    finding = only(failures(judge(tree)))
    assert (finding.subject, finding.message) == ("jq:amd64", message)


def test_a_package_that_was_added_fails(tree: dict[str, Entry]) -> None:
    status_with(tree, nmap="7")
    assert only(failures(judge(tree))).message == "7 is installed, but not recorded"


def test_many_differences_are_cut(tree: dict[str, Entry]) -> None:
    status_with(tree, **{f"extra{number}": "1" for number in range(150)})
    found = failures(judge(tree))
    assert (len(found), found[-1].subject, found[-1].message) == (101, "packages", "50 more are not listed")


def test_rpm_s_ways_of_writing_are_the_same(tree: dict[str, Entry]) -> None:
    extra = [
        {"name": "gpg-pubkey", "version": "x", "architecture": "(none)"},
        {"name": "basesystem", "version": "0:1.0", "architecture": "(none)"},
    ]
    tree[PATH] = json.dumps(record(packages=[*record()["packages"], *extra]))
    status = cast("str", tree[images.STATUS])
    tree[images.STATUS] = status + "\n" + images.stanza("basesystem", "1.0", architecture="")
    assert failures(judge(tree)) == []


def test_several_versions_of_a_kernel_are_compared_as_a_set(tree: dict[str, Entry]) -> None:
    kernels = [{"name": "kernel", "version": version, "architecture": "amd64"} for version in ("1", "2")]
    tree[PATH] = json.dumps(record(packages=[*record()["packages"], *kernels]))
    status = cast("str", tree[images.STATUS])
    tree[images.STATUS] = status + "\n" + images.stanza("kernel", "2") + "\n" + images.stanza("kernel", "1")
    assert failures(judge(tree)) == []


def test_a_recorded_ca_that_the_bundle_lacks_fails(tree: dict[str, Entry]) -> None:
    tree[PATH] = json.dumps(record(trusted_ca_sha256=[INTERNAL, "0" * 64]))
    assert only(failures(judge(tree))).subject == f"sha256 {'0' * 64}"


def test_a_ca_that_nobody_recorded_fails(tree: dict[str, Entry]) -> None:
    tree[images.BUNDLE] = cast("bytes", tree[images.BUNDLE]) + pki.pem(pki.certificate("Other CA"))
    assert only(failures(judge(tree))).subject == "CN=Other CA"


def test_without_matches_only_the_record_counts(tree: dict[str, Entry]) -> None:
    status_with(tree, jq="1.7")
    assert [finding.subject for finding in judge(tree, matches=False)] == ["record"]


def test_a_record_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[PATH] = Broken()
    with pytest.raises(ValidatorError, match="Input/output error"):
        judge(tree)


def test_facts_with_a_record_survive_json(tree: dict[str, Entry]) -> None:
    tree[PATH] = json.dumps(record(distribution="\\xff\x1b"))
    facts = facts_of(tree)
    assert replay(json.dumps(dump(facts))) == facts


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


@given(st.binary())
def test_no_content_breaks_the_parser(data: bytes) -> None:
    assert parse_provenance(data).record is None


@given(st.dictionaries(st.sampled_from(sorted(record())), st.none() | st.text() | st.lists(st.text())))
def test_no_json_breaks_the_parser(changes: dict[str, Any]) -> None:
    found = parse_provenance(json.dumps(record() | changes).encode())
    assert (found.record is None) is bool(found.fault)
