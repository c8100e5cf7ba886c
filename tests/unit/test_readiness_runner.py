"""The run: in parallel, in bounded time, and what one probe does harms no other."""

import io
import json
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from diskimage_validator.errors import EngineError
from diskimage_validator.model import Report, Severity
from diskimage_validator.readiness import probes
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.facts.dns import AskName, Lookup
from diskimage_validator.readiness.runner import BY_HAND, check_readiness
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.published import schema_text

TEXT = """\
version: 1
name: test
endpoints: [{name: one.internal}, {name: two.internal}, {name: three.internal}]
dns: {resolvers: [192.0.2.53]}
"""


def checked(answer: Any, monkeypatch: pytest.MonkeyPatch, text: str = TEXT, **more: Any) -> Report:
    """Return the report where ``answer`` stands in for a resolver: no test may ask a real one at that address."""
    monkeypatch.setattr(probes, "PROBES", {**probes.PROBES, AskName: answer})
    return check_readiness(parse_factory(text, "factory.yaml", Path()), **more)


def statuses(report: Report) -> dict[str, str]:
    return {result.finding.subject: str(result.status) for result in report.results if result.asked}


def test_probes_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(ask: AskName, _: Any) -> Lookup:
        time.sleep(0.3)
        return Lookup("NOERROR", ("192.0.2.1",))

    said: list[str] = []
    started = time.monotonic()
    report = checked(slow, monkeypatch, progress=said.append)
    assert time.monotonic() - started < 0.8
    assert report.exit_status() == 0
    assert said[0] == "asking 3 questions"
    assert said[-1].startswith("3 of 3 answered")


def test_a_probe_that_fails_or_crashes_is_an_error_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def moody(ask: AskName, _: Any) -> Lookup:
        if ask.name == "one.internal":
            raise EngineError("no tool", "install it")
        if ask.name == "two.internal":
            raise RuntimeError("boom")
        if ask.name == "three.internal":
            raise EngineError("nobody knows")
        return Lookup("NOERROR", ("192.0.2.1",))

    text = TEXT.replace("three.internal}", "three.internal}, {name: four.internal}")
    report = checked(moody, monkeypatch, text)
    assert list(statuses(report).values()) == ["error", "error", "error", "pass"]
    first, second, third = (result.finding for result in report.results[:3])
    assert (first.message, first.hint) == ("no tool", "install it")
    assert (third.message, third.hint) == ("nobody knows", BY_HAND)
    assert second.message == "the probe crashed: RuntimeError: boom"
    assert first.tried == "192.0.2.53:53: DNS, A and AAAA of one.internal"
    assert report.exit_status() == 3


def test_severities_and_waivers_are_those_of_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: AskName, __: Any) -> Lookup:
        return Lookup("NXDOMAIN")

    severity = "severity: {dns-names: info}\n"
    assert checked(nothing, monkeypatch, TEXT + severity).exit_status() == 0
    waiver = "waivers: [{check: dns-names, subject: 'one.*', reason: not built yet, expires: 2999-01-01}]\n"
    report = checked(nothing, monkeypatch, TEXT + waiver)
    assert report.exit_status() == 1
    assert [result.waived for result in report.results[:3]] == ["not built yet", "", ""]
    assert report.waivers[0].state == "active"


@pytest.mark.parametrize("name", ["text", "json", "junit", "html"])
def test_every_report_tells_what_was_tried_and_when(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    report = checked(lambda *_: Lookup("NXDOMAIN"), monkeypatch)
    stream = io.StringIO()
    WRITERS[name](report, stream, Severity.WARNING)
    assert "192.0.2.53:53: DNS, A and AAAA of one.internal" in stream.getvalue()
    assert report.results[0].finding.when in stream.getvalue()
    assert "DNS entries of the endpoints" in stream.getvalue() or name in ("json", "junit")


def test_the_json_report_is_what_its_schema_says(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    WRITERS["json"](checked(lambda *_: Lookup("NXDOMAIN"), monkeypatch), stream, Severity.WARNING)
    Draft202012Validator(json.loads(schema_text("report"))).validate(json.loads(stream.getvalue()))
