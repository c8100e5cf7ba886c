"""Many targets at once: each has its own verdict, in the order in which they were named."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import diskimage_validator
from diskimage_validator import fleet
from diskimage_validator.cli import run
from diskimage_validator.errors import EngineError, UsageError, ValidatorError
from diskimage_validator.fleet import validate_many
from diskimage_validator.model import Report
from tests.support import images


def roots(folder: Path, *releases: str) -> list[str]:
    targets = []
    for release in releases:
        root = folder / release / "usr/lib"
        root.mkdir(parents=True)
        (root / "os-release").write_text(f"ID={release}\n")
        targets.append(f"dir:{folder / release}")
    return targets


def test_order_and_errors(tmp_path: Path) -> None:
    targets = [*roots(tmp_path, "debian", "fedora"), "/nonesuch.qcow2"]
    policy = images.policy(os={"any": [{"id": "debian"}]}, certificates={"anchors": False})
    said: list[str] = []
    first, second, third = validate_many(targets, policy, jobs=2, progress=said.append)
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert [result.status for result in (first.results[0], second.results[0])] == ["pass", "fail"]
    assert isinstance(third, UsageError)
    assert any(step.startswith(f"{targets[0]}: reading") for step in said)


def test_what_needs_no_appliance_may_be_among_what_shares_one(tmp_path: Path) -> None:
    targets = [*roots(tmp_path, "debian", "fedora"), "/nonesuch.qcow2"]
    policy = images.policy(os={"any": [{"id": "debian"}]}, certificates={"anchors": False})
    first, second, third = validate_many(targets, policy, jobs=8, share_appliance=True)
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert [result.status for result in (first.results[0], second.results[0])] == ["pass", "fail"]
    assert isinstance(third, UsageError)


def children() -> set[int]:
    """Return the processes that this one has started and that are not over."""
    return {int(task) for path in Path("/proc/self/task").glob("*/children") for task in path.read_text().split()}


def test_a_worker_that_is_killed_is_an_error_of_that_target_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "MODULE", "tests.support.dying_worker")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[2]), *sys.path]))
    before = children()
    first, second, third = validate_many(roots(tmp_path, "debian", "fedora", "centos"), images.policy(), jobs=1)
    assert isinstance(first, Report)
    assert isinstance(second, EngineError)
    assert "ended: killed by signal SIGKILL" in second.message
    assert isinstance(third, Report)
    assert children() == before


def test_an_interruption_ends_every_worker(tmp_path: Path) -> None:
    targets = roots(tmp_path, *(f"node{number}" for number in range(20)))
    command = [sys.executable, "-m", "diskimage_validator", "validate", *targets, "--policy", store(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(diskimage_validator.__file__).parents[1])}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment)
    tasks = Path(f"/proc/{process.pid}/task/")
    while not (workers := [pid for path in tasks.glob("*/children") for pid in path.read_text().split()]):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said.strip()) == (130, b"interrupted")
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


def test_what_a_worker_cannot_do_is_an_error_and_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "MODULE", "diskimage_validator.nonesuch")
    (result,) = validate_many(roots(tmp_path, "debian"), images.policy())
    assert isinstance(result, EngineError)
    assert "ended: exit status 1" in result.message


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (b'["UsageError", "no such file", ""]', UsageError, "no such file"),
        (b'["SystemExit", "1", "hint"]', EngineError, "1"),
        (b'["UsageError"]', EngineError, "no answer"),
        (b"[[[", EngineError, "no answer"),
        (b"7", EngineError, "no answer"),
    ],
)
def test_a_worker_can_say_anything_and_nothing_of_it_is_run(
    answer: bytes, kind: type[ValidatorError], message: str
) -> None:
    error = fleet._error(answer)
    assert type(error) is kind
    assert message in error.message


def test_no_target_is_no_report() -> None:
    assert validate_many([], images.policy()) == []


def store(folder: Path) -> str:
    path = folder / "policy.yaml"
    path.write_text("version: 1\nname: p\nos: {any: [{id: debian}]}\ncertificates: {anchors: false}\n")
    return str(path)


def test_the_command_writes_a_summary_and_reports_for_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    targets = roots(tmp_path, "debian", "fedora")
    arguments = ["validate", *targets, "/nonesuch.qcow2", "--policy", store(tmp_path), "--jobs", "2"]
    arguments += ["--report", f"json={tmp_path}/{{name}}.json", "--format", "json"]
    assert run(arguments) == 3
    summary = json.loads(capsys.readouterr().out)
    assert [entry["exit_status"] for entry in summary["targets"]] == [3, 3, 2]
    assert json.loads((tmp_path / "fedora.json").read_text())["target"]["name"] == str(tmp_path / "fedora")
    assert (tmp_path / "debian.json").exists()
    assert not (tmp_path / "nonesuch.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--report", "json=all.json"], "write {name} in its name"),
        (["--format", "sarif"], "--format sarif is for one target"),
        (["--name", "node"], "--name is for one target"),
        (["--report", "json=/nonesuch/{name}.json"], "cannot write /nonesuch/debian.json"),
        (["dir:/other/debian", "--report", "json={name}.json"], "and so would their reports"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--share-appliance", "--jobs", "2"], "with one appliance, images are read one by one"),
    ],
)
def test_what_makes_no_sense_for_several_is_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    targets = roots(tmp_path, "debian", "fedora")
    assert run(["validate", *targets, "--policy", store(tmp_path), *options]) == 2
    assert message in capsys.readouterr().err
