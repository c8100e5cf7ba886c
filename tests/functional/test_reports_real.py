"""All reports on the real image in one run: each whole, each valid, each bound to the image's sha256."""

import hashlib
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft4Validator, Draft202012Validator

from diskimage_validator.cli.reports import FORMATS
from diskimage_validator.reports.published import schema_text
from tests.functional.conftest import BuiltImage, RunValidator

SARIF = Path(__file__).parents[1] / "data/sarif/sarif-2.1.0-rtm.5.json"


@pytest.fixture(scope="module")
def reports(node_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Run the validator once and return every report by format."""
    folder = tmp_path_factory.mktemp("reports")
    options = [f"--report={name}={folder / name}" for name in FORMATS]
    assert RunValidator(node_image.authority, tmp_path_factory.mktemp("own"))(node_image.path, *options).status == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(FORMATS)
    return {name: (folder / name).read_text(encoding="utf-8") for name in FORMATS}


def test_every_report_names_the_image_by_its_hash(reports: dict[str, str], node_image: BuiltImage) -> None:
    digest = hashlib.sha256(node_image.path.read_bytes()).hexdigest()
    assert [name for name, text in reports.items() if digest not in text] == []


def test_json_is_valid(reports: dict[str, str]) -> None:
    document = json.loads(reports["json"])
    Draft202012Validator(json.loads(schema_text("report"))).validate(document)
    assert document["verdict"]["exit_status"] == 0


def test_sarif_is_valid(reports: dict[str, str]) -> None:
    document = json.loads(reports["sarif"])
    Draft4Validator(json.loads(SARIF.read_text()), format_checker=Draft4Validator.FORMAT_CHECKER).validate(document)
    assert not [result for result in document["runs"][0]["results"] if result["level"] != "none"]


def test_the_bill_of_materials_is_valid_and_has_what_was_baked(reports: dict[str, str]) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(reports["cyclonedx"]) is None
    components = json.loads(reports["cyclonedx"])["components"]
    assert len([found for found in components if found.get("purl", "").startswith("pkg:deb/debian/")]) > 200
    (authority,) = [found for found in components if "Functional test CA" in found["name"]]
    values = {entry["name"]: entry["value"] for entry in authority["properties"]}
    assert values["diskimage-validator:added-locally"] == "true"
    assert "system" in values["diskimage-validator:trusted-by"]


def test_junit_zuul_text_and_html_agree(reports: dict[str, str]) -> None:
    summary = json.loads(reports["json"])["summary"]
    root = ET.fromstring(reports["junit"])
    assert (root.attrib["failures"], root.attrib["errors"]) == ("0", "0")
    data = json.loads(reports["zuul"])
    assert data["zuul"]["warnings"] == []
    assert {artifact["metadata"]["format"] for artifact in data["zuul"]["artifacts"]} == {*FORMATS} - {"zuul"}
    assert f": {summary['pass']} passed" in reports["text"].splitlines()[-1]
    assert f"<b>{summary['pass']}</b> passed" in reports["html"]
