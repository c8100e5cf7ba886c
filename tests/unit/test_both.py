"""--engine both: what two engines tell differently is an error, wherever in the facts it is."""

import json
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from diskimage_validator import runner
from diskimage_validator.both import read_both
from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.comparison.agreement import MAX_DIFFERENCES, agreement
from diskimage_validator.engines.base import Disk
from diskimage_validator.errors import DeclinedError, EngineError, TargetError, UsageError, ValidatorError
from diskimage_validator.facts import Facts, dump, replay
from diskimage_validator.facts.agreement import Disagreement
from diskimage_validator.model import NOT_ASKED, Finding, Status
from diskimage_validator.reports.inspection import write_json, write_text
from tests.support import images, pki
from tests.support.asking import facts_of, only
from tests.support.memory_engine import Entry, File, Link

Tree = dict[str, Entry]


def differences(left: Facts, right: Facts) -> dict[str, tuple[str, str]]:
    return {one.path: one.values for one in agreement(left, right).differences}


def of_two(tree: Tree, other: Tree, **disks: Disk) -> dict[str, tuple[str, str]]:
    left = facts_of(tree, disk=images.disk())
    return differences(left, facts_of(other, disk=disks.get("disk", images.disk())))


def reading(**outcomes: Facts | ValidatorError) -> Callable[[str], Facts]:
    """Return what reads with an engine: facts by the engine's name, or an error."""

    def read(name: str) -> Facts:
        outcome = outcomes[name]
        if isinstance(outcome, ValidatorError):
            raise outcome
        return replace(outcome, engine=name)

    return read


def judged(facts: Facts) -> list[Finding]:
    return list(CHECKS["engines-agree"].run(Question(facts, images.policy(), pki.NOW)))


def test_the_same_tree_agrees_and_everything_was_compared(tree: Tree) -> None:
    facts = facts_of(tree, disk=images.disk())
    found = agreement(facts, replace(facts, engine="other", notes=("a note",), collected=pki.NOW))
    assert (found.engines, found.differing, found.differences) == (("memory", "other"), 0, ())
    assert found.compared > 400


@pytest.mark.parametrize(
    ("path", "entry", "expected"),
    [
        ("/usr/bin/jq", Link("podman"), "commands.programs.jq.real"),
        ("/etc/motd", File(b"", 0o666), "file_modes.special[/etc/motd].kind"),
        (images.STATUS, images.status({**images.PACKAGES, "jq": "1.7"}), "packages.all[jq].version"),
        ("/boot/vmlinuz-6.1.0-30-amd64", b"kernel", "kernels[6.1.0-30-amd64]"),
    ],
)
def test_every_difference_is_named_by_its_place(tree: Tree, path: str, entry: Entry, expected: str) -> None:
    found = of_two(tree, tree | {path: entry})
    assert any(place.startswith(expected) for place in found), found


def test_an_entry_that_is_missing_does_not_shift_the_others(tree: Tree) -> None:
    packages = {name: version for name, version in images.PACKAGES.items() if name != "podman"}
    found = of_two(tree, tree | {images.STATUS: images.status(packages)})
    places = {place for place in found if place.startswith("packages.all")}
    assert all(place == "packages.all[]" or place.startswith("packages.all[podman].") for place in places), places
    assert found["packages.all[podman].version"] == ('"4.3.1+ds1-8+b1"', "")


def test_numbers_nulls_and_types_count(tree: Tree) -> None:
    disk = images.disk()
    (root,) = disk.filesystems
    other = replace(disk, filesystems=(replace(root, free=None, clean=False),))
    assert of_two(tree, tree, disk=other) == {
        "disk.filesystems[/dev/sda1].free": ("3221225472", "null"),
        "disk.filesystems[/dev/sda1].clean": ("true", "false"),
    }


def test_their_order_counts(tree: Tree) -> None:
    facts = facts_of(tree)
    left, right = (replace(facts, kernels=kernels) for kernels in (("a", "b"), ("b", "a")))
    assert differences(left, right) == {"kernels[]": ('["a", "b"]', '["b", "a"]')}


def test_there_is_an_end_to_what_is_listed_and_the_number_is_right(tree: Tree) -> None:
    many = {f"package-{number}": "1" for number in range(MAX_DIFFERENCES)}
    left, right = (facts_of(tree | {images.STATUS: images.status(packages)}) for packages in ({"jq": "1"}, many))
    found = agreement(left, right)
    assert len(found.differences) == MAX_DIFFERENCES < found.differing
    findings = judged(replace(left, agreement=found))
    assert {finding.status for finding in findings} == {Status.ERROR}
    assert findings[-1].message == f"{found.differing - MAX_DIFFERENCES} more values differ"
    assert max(len(value) for one in found.differences for value in one.values) <= 200


def test_one_engine_alone_says_nothing(tree: Tree) -> None:
    finding = only(judged(facts_of(tree)))
    assert (finding.status, finding.message) == (Status.SKIP, NOT_ASKED)


def test_engines_that_agree_pass(tree: Tree) -> None:
    facts = facts_of(tree)
    found = read_both(reading(guestfs=facts, direct=facts))
    assert found.engine == "guestfs"
    assert found.notes[-1].startswith("guestfs and direct read the same ")
    finding = only(judged(found))
    assert (finding.status, finding.subject) == (Status.PASS, "guestfs and direct")


def test_engines_that_differ_are_an_error_whatever_the_checks_say(tree: Tree) -> None:
    wrong = tree | {images.STATUS: images.status({**images.PACKAGES, "jq": "1.7"})}
    found = read_both(reading(guestfs=facts_of(tree), direct=facts_of(wrong)))
    report = runner.run_checks(images.policy(packages={"required": ["jq"]}), found, now=pki.NOW)
    assert report.exit_status() == 3
    (error,) = (result for result in report.results if result.status is Status.ERROR)
    assert (error.check, error.finding.subject) == ("engines-agree", "packages.all[jq].version")
    assert error.finding.message == 'guestfs reads "1.6-2.1", direct reads "1.7"'
    assert report.notes[-1].startswith("guestfs and direct differ in 1 of ")


def test_an_engine_that_declines_is_told(tree: Tree) -> None:
    found = read_both(reading(guestfs=facts_of(tree), direct=DeclinedError("the direct engine declines: LVM")))
    finding = only(judged(found))
    assert finding.status is Status.SKIP
    assert finding.message == "nothing was compared: the direct engine declines: LVM"
    assert found.notes[-1].endswith("nothing was compared with what guestfs read: the direct engine declines: LVM")
    assert runner.run_checks(images.policy(), found, now=pki.NOW).exit_status() == 0


def test_an_engine_that_fails_where_the_other_reads_is_a_difference(tree: Tree) -> None:
    found = read_both(reading(guestfs=facts_of(tree), direct=TargetError("no root file system")))
    finding = only(judged(found))
    assert (finding.status, finding.subject) == (Status.ERROR, "target")
    assert finding.message == "guestfs reads can be read, direct reads no root file system"


@pytest.mark.parametrize("direct", [DeclinedError("LVM"), TargetError("no root")])
def test_an_image_that_the_reference_cannot_read_is_its_error(tree: Tree, direct: ValidatorError) -> None:
    with pytest.raises(EngineError, match="no appliance"):
        read_both(reading(guestfs=EngineError("no appliance"), direct=direct))


def test_the_agreement_is_kept_with_the_facts(tree: Tree) -> None:
    found = read_both(reading(guestfs=facts_of(tree), direct=facts_of(tree | {"/boot/vmlinuz-7": b""})))
    assert found.agreement is not None
    assert Disagreement("kernels[7]", ("", '"7"')) in found.agreement.differences
    json_text, text = StringIO(), StringIO()
    write_json(found, json_text)
    write_text(found, text)
    assert replay(json_text.getvalue()) == found
    assert "guestfs and direct differ in " in text.getvalue()


def test_facts_of_before_can_still_be_judged(tree: Tree) -> None:
    dumped: dict[str, Any] = dump(facts_of(tree))
    del dumped["agreement"]
    assert replay(json.dumps(dumped)).agreement is None


def test_a_folder_has_no_two_engines() -> None:
    with pytest.raises(UsageError, match="reads disk images, not folders"):
        runner.inspect("dir:/", engine="both")
