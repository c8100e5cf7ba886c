"""The published schemas: every report is valid under them, and nothing else is."""

import copy
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from diskimage_validator.cli import run
from diskimage_validator.errors import TargetError
from diskimage_validator.model import SCHEMA_VERSION, Severity, Status
from diskimage_validator.reports.published import SCHEMAS, schema_text
from diskimage_validator.reports.summary import Outcome, write_summary_json
from diskimage_validator.reports.verdict import VERDICTS
from tests.support import images
from tests.support.memory_engine import Entry
from tests.support.reports import CASES, broken, hostile, waived, written

REPORT = json.loads(schema_text("report"))
SUMMARY = json.loads(schema_text("summary"))
REGISTRY = Registry().with_resource(REPORT["$id"], Resource.from_contents(REPORT))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER)


def wrong(document: dict[str, Any], schema: dict[str, Any] = REPORT) -> list[str]:
    return [error.json_path for error in validator(schema).iter_errors(document)]


def places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yield the path of every field below ``value``, of lists the first entry's."""
    if isinstance(value, list):
        value = dict(enumerate(value[:1]))
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from places(inner, *path, key)


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


@pytest.mark.parametrize("schema", [REPORT, SUMMARY])
def test_the_schemas_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("case", CASES)
def test_every_report_is_valid(case: str, tree: dict[str, Entry]) -> None:
    assert wrong(json.loads(written(CASES[case](tree), "json"))) == []


def test_the_summary_is_valid_with_and_without_reports(tree: dict[str, Entry]) -> None:
    outcomes = [Outcome("a", broken(tree)), Outcome("b", hostile({})), Outcome("c", error=TargetError("no", "hint"))]
    stream = io.StringIO()
    write_summary_json(outcomes, stream, Severity.WARNING)
    document = json.loads(stream.getvalue())
    assert wrong(document, SUMMARY) == []
    document["targets"][0]["report"]["results"][0]["status"] = "passed"
    assert wrong(document, SUMMARY) == ["$.targets[0].report"]


WAIVED = json.loads(written(waived(images.debian()), "json"))


@pytest.mark.parametrize("path", [path for path in places(WAIVED) if isinstance(path[-1], str)], ids=str)
def test_a_field_that_is_renamed_or_of_another_kind_is_found(path: tuple[str | int, ...]) -> None:
    renamed = copy.deepcopy(WAIVED)
    parent = at(renamed, path[:-1])
    parent["other"] = parent.pop(path[-1])
    assert len(wrong(renamed)) == 2  # one is missing, one is unknown
    changed = copy.deepcopy(WAIVED)
    at(changed, path[:-1])[path[-1]] = [[]]
    assert wrong(changed)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), SCHEMA_VERSION + 1),
        (("started",), "yesterday"),
        (("target", "sha256"), "AB" * 32),
        (("verdict", "exit_status"), 4),
        (("results", 0, "line"), -1),
        (("waivers", 0, "expires"), "2026-13-01"),
    ],
)
def test_values_are_looked_at(path: tuple[str | int, ...], value: object) -> None:
    changed = copy.deepcopy(WAIVED)
    at(changed, path[:-1])[path[-1]] = value
    assert wrong(changed)


def test_the_schemas_know_the_words_of_the_model() -> None:
    assert REPORT["properties"]["schema"]["const"] == SUMMARY["properties"]["schema"]["const"] == SCHEMA_VERSION
    assert REPORT["$defs"]["severity"]["enum"] == [str(severity) for severity in Severity]
    assert REPORT["$defs"]["result"]["properties"]["status"]["enum"] == [str(status) for status in Status]
    target = SUMMARY["properties"]["targets"]["items"]["properties"]
    assert target["verdict"]["enum"] == [verdict.id for verdict in VERDICTS.values()]


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_command_prints_them(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", name]) == 0
    assert json.loads(capsys.readouterr().out)["$id"] == f"urn:diskimage-validator:{name}:{SCHEMA_VERSION}"
