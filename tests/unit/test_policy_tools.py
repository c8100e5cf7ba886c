"""The schema for editors, and what is odd about a policy that can be used."""

import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from diskimage_validator.cli import run
from diskimage_validator.errors import PolicyError
from diskimage_validator.policy import parse_policy, resolve, shipped_policies, shipped_text
from diskimage_validator.policy_lines import parse_document
from diskimage_validator.policy_lint import lint
from diskimage_validator.policy_schema import policy_schema

TODAY = datetime.date(2026, 6, 1)
HEAD = "version: 1\nname: test\n"


@pytest.mark.parametrize("name", shipped_policies())
def test_shipped_policies_satisfy_the_schema(name: str) -> None:
    for document in (resolve(name), parse_document(shipped_text(name)).data):
        jsonschema.Draft202012Validator(policy_schema()).validate(document)


@pytest.mark.parametrize(
    "wrong",
    [
        {"packges": {}},
        {"packages": {"required": "jq"}},
        {"disk": {"min_free": 10}},
        {"waivers": [{"check": "disk", "reason": "x"}]},
        {"severity": {"disk": "loud"}},
        {"version": 2},
    ],
)
def test_the_schema_refuses_what_the_tool_refuses(wrong: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(policy_schema()).validate({"version": 1, "name": "x", **wrong})


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())


def warnings(text: str) -> list[str]:
    return list(lint(parse_policy(HEAD + text, "test.yaml", Path()), TODAY))


def waiver(expires: str, check: str = "os") -> str:
    return f"waivers: [{{check: {check}, reason: x, expires: {expires}}}]\n"


def test_a_sound_policy_has_no_warning() -> None:
    assert warnings(waiver("2026-12-31")) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (waiver("2026-06-01"), "waiver of os for *: expired on 2026-06-01"),
        (waiver("2026-06-20"), "waiver of os for *: stops working on 2026-06-20"),
        (waiver("2027-01-01", "disk"), "waiver of disk: the policy does not ask for this check"),
        ("severity: {disk: info}\n", "severity of disk: the policy does not ask for this check"),
    ],
)
def test_what_has_no_effect_is_told(text: str, expected: str) -> None:
    assert warnings(text) == [expected]


def test_check_prints_warnings_and_strict_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "severity: {disk: info}\n")
    assert run(["policy", "check", str(path)]) == 0
    assert "warning: severity of disk" in capsys.readouterr().out
    assert run(["policy", "check", "--strict", str(path)]) == 2


def test_show_prints_the_whole_and_source_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + "extends: minimal\n")
    assert run(["policy", "show", str(path)]) == 0
    assert "anchors: true" in capsys.readouterr().out
    assert run(["policy", "show", "--source", "minimal"]) == 0
    assert capsys.readouterr().out == shipped_text("minimal")


def test_the_schema_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "schema"]) == 0
    assert yaml.safe_load(capsys.readouterr().out) == policy_schema()


@pytest.mark.parametrize("date", ["tomorrow", "2026-13-01", "20270101x"])
def test_a_waiver_needs_a_day(date: str) -> None:
    with pytest.raises(PolicyError, match="a date such as '2027-01-31' is wanted"):
        warnings(waiver(f"'{date}'"))
