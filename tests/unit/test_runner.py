from collections.abc import Iterator
from dataclasses import replace

import pytest

from diskimage_validator import runner
from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.engines import open as opening
from diskimage_validator.model import Finding, Report, Severity, Status
from diskimage_validator.policy_model import Policy
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Broken, Entry, MemoryEngine

POLICY = images.policy(packages={"required": ["skopeo"]}, commands={"required": ["skopeo"]})


def run(tree: dict[str, Entry], policy: Policy = POLICY) -> Report:
    return runner.run_checks(policy, facts_of(tree, disk=images.disk()), now=pki.NOW)


def statuses(report: Report, check: str) -> set[Status]:
    return {result.status for result in report.results if result.check == check}


def test_every_check_has_a_result(tree: dict[str, Entry]) -> None:
    assert {result.check for result in run(tree).results} == set(CHECKS)


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    assert run(tree).exit_status() == 0


def test_a_fact_that_cannot_be_read_is_an_error_and_the_run_goes_on(tree: dict[str, Entry]) -> None:
    tree[images.STATUS] = Broken()
    report = run(tree)
    assert statuses(report, "packages-required") == {Status.ERROR}
    assert statuses(report, "commands-required") == {Status.PASS}
    assert report.exit_status() == 3


def test_an_rpm_system_is_never_a_pass_or_a_fail(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/os-release"] = "ID=rocky\nVERSION_ID=9.4\n"
    tree["/var/lib/rpm/rpmdb.sqlite"] = b""
    assert statuses(run(tree), "packages-required") == {Status.ERROR}


def test_a_crash_in_a_check_is_an_error_and_what_it_found_before_stays(
    tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(question: Question) -> Iterator[Finding]:
        yield Finding("first", Status.FAIL, "found before the crash")
        raise KeyError("boom")

    monkeypatch.setitem(CHECKS, "os", replace(CHECKS["os"], run=crash))
    report = run(tree)
    first, second = (result.finding for result in report.results if result.check == "os")
    assert first.message == "found before the crash"
    assert (second.status, second.message) == (Status.ERROR, "the check crashed: KeyError: 'boom'")
    assert statuses(report, "packages-required") == {Status.PASS}


def test_the_policy_sets_severities(tree: dict[str, Entry]) -> None:
    del tree["/usr/bin/skopeo"]
    policy = images.policy(commands={"required": ["skopeo"]}, severity={"commands-required": "info"})
    report = run(tree, policy)
    assert report.exit_status(Severity.WARNING) == 0
    assert report.exit_status(Severity.INFO) == 1


def test_a_report_says_what_was_judged_by_what(tree: dict[str, Entry]) -> None:
    told = run(tree).as_dict()
    assert told["target"]["sha256"] == "ab" * 32
    assert told["policy"] == {"name": "test", "sha256": POLICY.digest}
    assert told["engine"] == "memory"
    assert told["started"] == "2026-06-01T12:00:00+00:00"
    assert told["tool"]["version"]


def test_validate_looks_up_the_commands_of_the_policy_and_closes_the_engine(
    tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    class Watched(MemoryEngine):
        def close(self) -> None:
            closed.append(True)

    tree["/usr/bin/rare-tool"] = images.program()
    monkeypatch.setattr(opening, "open_target", lambda target, **options: Watched(tree, disk=images.disk()))
    report = runner.validate("node.qcow2", images.policy(commands={"required": ["rare-tool"]}))
    assert statuses(report, "commands-required") == {Status.PASS}
    assert closed == [True]
