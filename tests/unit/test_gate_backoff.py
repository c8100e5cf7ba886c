"""What holds a build back, for how long, and what lets it go."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from airgap_image_factory.gate.backoff import Failure, Memory, next_failure
from airgap_image_factory.gate.inputs import digest_of_inputs
from airgap_image_factory.gate.options import parse
from airgap_image_factory.gate.settings import read_settings
from diskimage_validator.errors import UsageError
from diskimage_validator.policy import load_policy

FAILURE = Failure("node", "inputs", 1, "the root: failed: x", "/images/node-1.d", 1000.0, 1, 900)


def after(before: Failure | None, inputs: str = "inputs", bounds: tuple[int, int] = (900, 86400)) -> Failure:
    return next_failure(
        before, image="node", inputs=inputs, status=1, reason="r", reports=Path("/images/node-2.d"), bounds=bounds
    )


def test_the_delay_doubles_up_to_the_greatest_and_begins_anew_with_other_inputs() -> None:
    delays = []
    failure = None
    for _ in range(9):
        failure = after(failure)
        delays.append(failure.delay)
    assert delays == [900, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 86400]
    assert after(failure, "others").delay == 900
    assert after(failure, "others").count == 1
    assert after(failure, bounds=(0, 0)).delay == 0


def test_no_failure_is_held_back_for_ever() -> None:
    """Not by many failures, and not by a clock that was set back."""
    assert after(replace(FAILURE, count=100000)).delay == 86400
    assert FAILURE.remaining(1300.0) == 600
    assert FAILURE.remaining(2000.0) == 0
    assert FAILURE.remaining(10.0) == 0


def test_what_was_remembered_is_recalled_until_it_is_cleared(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "not/yet/there")
    assert memory.recall("node") is None
    memory.prepare()
    memory.remember(FAILURE)
    memory.remember(replace(FAILURE, image="../../other", count=2))
    assert memory.recall("node") == FAILURE
    assert [failure.image for failure in memory.failures()] == ["../../other", "node"]
    assert sorted(path.name for path in memory.folder.iterdir()) == [".._.._other.json", "node.json"]
    assert memory.clear("node")
    assert not memory.clear("node")
    recalled = memory.recall("node")
    assert recalled is not None
    assert recalled.remaining(time.time()) == 0
    assert after(recalled).count == 1
    assert [failure.image for failure in memory.failures()] == ["../../other"]
    memory.forget("node")
    memory.forget("node")
    assert memory.recall("node") is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b"null", b'{"schema": 2}', b'{"schema": 1, "image": "node"}', b"\xef\xbf\xbd", b'"\xff"']
)
def test_a_damaged_record_holds_nothing_back(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "node.json").write_bytes(data)
    assert Memory(tmp_path).recall("node") is None
    assert list(Memory(tmp_path).failures()) == []


def test_a_record_with_negative_times_is_none() -> None:
    assert Failure.from_json(json.dumps({"schema": 1, **asdict(replace(FAILURE, delay=-1))}).encode()) is None


def test_a_folder_that_cannot_be_used_is_told_before_the_build(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=f"{tmp_path}/file: File exists"):
        Memory(tmp_path / "file").prepare()


def test_reports_of_an_earlier_failure_go_and_nothing_else_does(tmp_path: Path) -> None:
    def reports(name: str, *files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text("")
        return folder

    old, new = reports("node-1.d", "root-report.json"), reports("node-2.d", "root-report.json")
    elsewhere, foreign = reports("x/node-1.d", "root-report.json"), reports("node-0.d", "letters.txt")
    for kept in (new, elsewhere, foreign):
        Memory.clean(replace(FAILURE, reports=str(kept)), new)
        assert kept.exists()
    Memory.clean(None, new)
    Memory.clean(replace(FAILURE, reports=str(old)), new)
    assert not old.exists()


def test_a_rejected_image_goes_when_the_next_one_has_the_same_name(tmp_path: Path) -> None:
    reports = tmp_path / "node.d"
    (reports / "rejected").mkdir(parents=True)
    (reports / "rejected/node.qcow2").write_text("")
    (reports / "root-report.json").write_text("")
    Memory.clean(replace(FAILURE, reports=str(reports)), reports)
    assert [path.name for path in reports.iterdir()] == ["root-report.json"]


@pytest.fixture
def digest(tmp_path: Path) -> Callable[..., str]:
    """Give a function that digests the inputs of a build whose elements, site file and CA lie in ``tmp_path``."""
    (tmp_path / "elements/one/root.d").mkdir(parents=True)
    (tmp_path / "elements/one/root.d/10-one").write_text("true\n")
    (tmp_path / "site.yaml").write_text("mirror.internal\n")
    (tmp_path / "policy.yaml").write_text("version: 1\nname: test\nfiles:\n  absent: [/etc/x]\n")

    def compute(*arguments: str, **variables: str) -> str:
        environment = {
            "DIB_GATE_POLICY": str(tmp_path / "policy.yaml"),
            "DIB_AIRGAP_SITE": str(tmp_path / "site.yaml"),
            "DIB_IMAGE_CACHE": str(tmp_path / "cache"),
            "HOME": "/root",
            **variables,
        }
        settings = read_settings(environment)
        invocation = parse([*arguments, "one"], environment)
        policy = load_policy(settings.policy)
        return digest_of_inputs(invocation, settings, policy, environment, str(tmp_path / "elements"))

    return compute


def test_every_input_changes_the_digest(digest: Callable[..., str], tmp_path: Path) -> None:
    seen = [digest()]

    def differs(now: str) -> None:
        assert now not in seen
        seen.append(now)

    hook = tmp_path / "elements/one/root.d/10-one"
    hook.write_text("false\n")
    differs(digest())
    hook.chmod(0o755)
    differs(digest())
    (tmp_path / "elements/one/root.d/20-link").symlink_to("10-one")
    differs(digest())
    (tmp_path / "site.yaml").write_text("other.internal\n")
    differs(digest())
    (tmp_path / "policy.yaml").write_text("version: 1\nname: test\nfiles:\n  absent: [/etc/y]\n")
    differs(digest())
    differs(digest(DIB_RELEASE="trixie"))
    differs(digest("-t", "raw"))
    differs(digest("--mkfs-options", "-m 0"))
    differs(digest(DIB_GATE_THRESHOLD="critical"))
    big = tmp_path / "base.img"
    big.touch()
    os.truncate(big, 2 << 20)
    differs(digest(DIB_LOCAL_IMAGE=str(big)))
    os.truncate(big, 3 << 20)
    differs(digest(DIB_LOCAL_IMAGE=str(big)))


def test_what_every_build_has_anew_does_not(digest: Callable[..., str], tmp_path: Path) -> None:
    before = digest("-o", "node-1", DIB_IMAGE_FILENAME="node-1.qcow2")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/base.tar").write_text("")
    (tmp_path / "elements/one/__pycache__").mkdir()
    (tmp_path / "elements/one/__pycache__/x.pyc").write_text("")
    assert digest("-o", "node-2", DIB_IMAGE_FILENAME="node-2.qcow2", TMPDIR="/tmp/2") != ""
    again = digest("-o", "node-2", DIB_IMAGE_FILENAME="node-2.qcow2", DIB_GATE_STATE="/elsewhere")
    # The cache did not exist before; that it does now is no input either.
    assert again == before
