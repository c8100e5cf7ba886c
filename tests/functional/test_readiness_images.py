"""The line Node image, with the real one: once green, and once red for each way to fail."""

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.cli import run
from tests.functional.conftest import BuiltImage, RunValidator
from tests.functional.readiness_lab import Outcome, readiness

POLICY = "container-node"


@pytest.fixture(scope="module")
def report(node_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Validate the image, and give the report."""
    folder = tmp_path_factory.mktemp("report")
    assert RunValidator(node_image.authority, folder)(node_image.path).status == 0
    return folder / "report.json"


def check(image: BuiltImage, folder: Path, bundle: Path | None = None, **node: Any) -> Outcome:
    certificates = {"bundle": str(bundle or image.authority)}
    entry = {"image": str(image.path), "policy": POLICY, **node}
    return readiness(folder, node_images=[entry], certificates=certificates)


def with_a_failure(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the results of a report, of which the first critical one failed."""
    first = next(one for one in results if one["severity"] == "critical" and one["status"] == "pass")
    return [{**one, "status": "fail"} if one is first else one for one in results]


def test_the_image_passes_and_the_report_is_about_it(node_image: BuiltImage, report: Path, tmp_path: Path) -> None:
    outcome = check(node_image, tmp_path, report=str(report))
    assert outcome.bad() == {}
    assert outcome.status == 0
    assert outcome.of("image-policy")[0][2].startswith(f"passes {POLICY}: ")
    assert outcome.of("image-report")[0][2].startswith("the report is about this image, of 20")


def test_what_is_wrong_with_a_report(node_image: BuiltImage, report: Path, tmp_path: Path) -> None:
    document = json.loads(report.read_text())
    old = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=9, hours=1)
    other = "0" * 64
    failed = {"verdict": {**document["verdict"], "exit_status": 1}, "results": with_a_failure(document["results"])}
    changes: dict[str, dict[str, Any]] = {
        f"it is about another image, with the sha256 {other}, and not ": {
            "target": {**document["target"], "sha256": other}
        },
        "it says that the image did not pass (exit status 1)": failed,
        "it is 9 days old": {"started": old.isoformat()},
        f"it is about another policy than {POLICY} as it is now": {"policy": {"name": POLICY, "sha256": other}},
    }
    nodes = []
    for number, change in enumerate(changes.values()):
        (tmp_path / f"{number}.json").write_text(json.dumps({**document, **change}))
        nodes.append({"image": str(node_image.path), "policy": POLICY, "report": f"{number}.json", "max_age_days": 7})
    (tmp_path / "none.json").write_text('{"started": 7}')
    (tmp_path / "lies.json").write_text(json.dumps({**document, "verdict": failed["verdict"]}))
    none = ("none.json", "lies.json", "missing")
    nodes += [{"image": str(node_image.path), "policy": POLICY, "report": name} for name in none]
    outcome = readiness(tmp_path, node_images=nodes, certificates={"bundle": str(node_image.authority)})
    found = outcome.of("image-report")
    assert [status for _, status, _ in found] == ["fail"] * 4 + ["error"] * 3
    for (_, _, message), said in zip(found, changes, strict=False):
        assert message.startswith(f"the report: {said}")
        assert ";" not in message
    assert found[4][2].endswith("none.json is no report of this tool")
    assert found[5][2].endswith("lies.json is no report of this tool")
    assert found[6][2].endswith("missing: No such file or directory")
    assert [status for _, status, _ in outcome.of("image-policy")] == ["pass"]


def test_an_image_that_does_not_pass_or_is_not_there(node_image: BuiltImage, tmp_path: Path) -> None:
    strict = "version: 1\nname: strict\nextends: container-node\npackages: {required: [no-such-package]}\n"
    (tmp_path / "strict.yaml").write_text(strict)
    nodes = [
        {"image": str(node_image.path), "policy": "strict.yaml"},
        {"image": "missing.qcow2", "policy": POLICY},
    ]
    outcome = readiness(tmp_path, node_images=nodes, certificates={"bundle": str(node_image.authority)})
    bad, missing = outcome.of("image-policy")
    assert bad[1] == "fail"
    assert bad[2].startswith("does not pass strict.yaml: packages-required: no-such-package: ")
    assert missing[1] == "error"
    assert outcome.status == 3


def test_a_policy_that_cannot_be_used_is_an_error_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = "node_images: [{image: node.qcow2, policy: container-nod}, {image: node.qcow2}]"
    (tmp_path / "factory.yaml").write_text(f"version: 1\nname: test\n{node}\n")
    assert run(["readiness", "plan", str(tmp_path / "factory.yaml")]) == 2
    said = capsys.readouterr().err
    assert ".node_images[0].policy: " in said
    assert ".node_images[1]: give 'policy', 'report' or 'served_by'" in said
