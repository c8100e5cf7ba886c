"""SARIF: valid under its schema, and what the standard says beyond the schema."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from diskimage_validator.checks import CHECKS
from diskimage_validator.model import Finding, Report, Result, Severity, Status
from tests.support.memory_engine import Entry
from tests.support.reports import CASES, broken, hostile, made, unreadable, waived, written

SCHEMA = json.loads((Path(__file__).parents[1] / "data/sarif/sarif-2.1.0-rtm.5.json").read_text())
VALIDATOR = Draft4Validator(SCHEMA, format_checker=Draft4Validator.FORMAT_CHECKER)


def run_of(report: Report) -> dict[str, Any]:
    document = json.loads(written(report, "sarif"))
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    return dict(run)


def result_of(run: dict[str, Any], subject: str) -> dict[str, Any]:
    (found,) = [result for result in run["results"] if result["message"]["text"].startswith(f"{subject}: ")]
    return dict(found)


@pytest.mark.parametrize("case", CASES)
def test_it_is_valid(case: str, tree: dict[str, Entry]) -> None:
    run = run_of(CASES[case](tree))
    assert run["results"]


def test_the_schema_and_its_formats_are_looked_at(tree: dict[str, Entry]) -> None:
    document = json.loads(written(broken(tree), "sarif"))
    document["runs"][0]["results"][0]["kind"] = "passed"
    assert [error.validator for error in VALIDATOR.iter_errors(document)] == ["enum"]
    document = json.loads(written(broken(tree), "sarif"))
    document["runs"][0]["invocations"][0]["startTimeUtc"] = "yesterday"
    assert [error.validator for error in VALIDATOR.iter_errors(document)] == ["format"]


def test_a_status_is_a_kind_and_only_failures_have_a_level(tree: dict[str, Entry]) -> None:
    kinds = {
        (result["kind"], result["level"])
        for make in (broken, waived, unreadable)
        for result in run_of(make(dict(tree)))["results"]
    }
    assert kinds == {("pass", "none"), ("fail", "error"), ("fail", "note"), ("open", "none")}
    skipped = Result("disk", Severity.WARNING, Finding("disk", Status.SKIP, "the target is no disk image"))
    assert run_of(made(skipped))["results"][0]["kind"] == "notApplicable"


def test_a_finding_is_at_its_file_and_line(tree: dict[str, Entry]) -> None:
    run = run_of(waived(tree))
    assert result_of(run, "CN=Old CA")["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "usr/local/share/ca-certificates/old.crt", "uriBaseId": "IMAGE"},
                "region": {"startLine": 1},
            }
        }
    ]
    location = result_of(run, "virtual size")["locations"][0]["physicalLocation"]
    assert location == {"artifactLocation": {"uri": "memory.qcow2", "index": 0}}


def test_rules_are_the_checks_with_their_explanation(tree: dict[str, Entry]) -> None:
    run = run_of(broken(tree))
    rules = run["tool"]["driver"]["rules"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    (rule,) = [rule for rule in rules if rule["id"] == "ca-anchors"]
    assert rule["shortDescription"]["text"] == CHECKS["ca-anchors"].title
    assert "An image passes where" in rule["help"]["text"]


def test_a_waiver_is_a_suppression_and_every_result_says_whether_there_is_one(tree: dict[str, Entry]) -> None:
    run = run_of(waived(tree))
    assert result_of(run, "CN=Old CA")["suppressions"] == [
        {
            "kind": "external",
            "status": "accepted",
            "justification": "renewed with the next release",
            "properties": {"expires": "2026-09-01"},
        }
    ]
    assert all("suppressions" in result for result in run["results"])
    assert len(run["properties"]["waivers"]) == 3


def test_what_could_not_be_told_is_a_notification_too(tree: dict[str, Entry]) -> None:
    (invocation,) = run_of(unreadable(tree))["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 3)
    errors = [entry for entry in invocation["toolExecutionNotifications"] if entry["level"] == "error"]
    assert errors[0]["associatedRule"]["id"] == "packages-required"


def test_checks_that_were_not_asked_for_are_switched_off_rules(tree: dict[str, Entry]) -> None:
    run = run_of(waived(tree))
    (invocation,) = run["invocations"]
    off = [override["descriptor"]["id"] for override in invocation["ruleConfigurationOverrides"]]
    assert off == ["architecture", "commands-required"]
    assert not {result["ruleId"] for result in run["results"]} & set(off)


def test_it_is_bound_to_the_image_and_the_policy(tree: dict[str, Entry]) -> None:
    run = run_of(broken(tree))
    assert run["artifacts"][0]["hashes"] == {"sha-256": "ab" * 32}
    assert run["properties"]["policy"] == {"name": "test", "sha256": "d" * 64}


def test_a_fingerprint_does_not_change_with_line_and_message() -> None:
    finding = Finding("s", Status.FAIL, "m", path="/etc/pip.conf", line=3)
    others = [replace(finding, line=9, message="n"), replace(finding, subject="t")]
    results = [Result("os", Severity.INFO, found) for found in (finding, *others)]
    first, moved, other = (result["partialFingerprints"] for result in run_of(made(*results))["results"])
    assert first == moved != other


def test_nothing_of_an_image_becomes_a_link_or_a_placeholder(tree: dict[str, Entry]) -> None:
    finding = Finding("[click](0)", Status.FAIL, "{0}")
    run = run_of(made(Result("os", Severity.INFO, finding)))
    assert run["results"][0]["message"]["text"] == "[click\\](0): {{0}}"
    uri = run_of(hostile(tree))["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert not set(uri) & set('<>"\\{} ')
