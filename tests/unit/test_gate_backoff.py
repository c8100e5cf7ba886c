"""What holds a build back, for how long, and what lets it go."""

import getpass
import json
import os
import shlex
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from airgap_image_factory.gate.backoff import Failure, Memory, clear_command, next_failure
from airgap_image_factory.gate.inputs import digest_of_inputs
from airgap_image_factory.gate.options import parse
from airgap_image_factory.gate.settings import read_settings
from diskimage_validator.errors import UsageError
from diskimage_validator.policy import load_policy

ROOT = Path(__file__).parents[2]
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


def test_the_command_that_clears_names_all_that_an_operators_shell_lacks(tmp_path: Path) -> None:
    words = shlex.split(clear_command("my node", tmp_path / "a b"))
    assert words[: words.index("env")] == ([] if os.geteuid() == 0 else ["sudo", "-u", getpass.getuser()])
    assert words[words.index("env") + 1] == f"DIB_GATE_STATE={tmp_path}/a b"
    assert words[-3:] == ["gate", "clear", "my node"]
    assert Path(words[-4]).name == "airgap-image-factory"


def test_the_operators_path_clears_what_the_sample_remembers() -> None:
    sample = yaml.safe_load((ROOT / "nodepool/nodepool.yaml").read_text())["diskimages"][0]
    command = [
        "sudo -u nodepool env",
        f"DIB_GATE_STATE={sample['env-vars']['DIB_GATE_STATE']}",
        str(Path(sample["dib-cmd"]).with_name("airgap-image-factory")),
        "gate clear IMAGE",
    ]
    words = (ROOT / "nodepool/README.rst").read_text().replace("\\\n", " ").split()
    assert " ".join(command) in " ".join(words)


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
    for name in ("PIP_INDEX_URL", "http_proxy", "FS_TYPE", "BASE_IMAGE_FILE"):
        differs(digest(**{name: "http://mirror.internal/"}))


@pytest.mark.parametrize(
    ("variable", "form"),
    [
        ("DIB_AIRGAP_SITE", "{}"),
        ("DIB_BLOCK_DEVICE_CONFIG", "file://{}"),
        ("DIB_LISTS", "/nonexistent,{}"),
        ("DIB_OPTIONS", "proto=tls cert={}"),
        ("PIP_CONFIG_FILE", "{}"),
    ],
)
def test_a_file_that_a_variable_names_is_an_input(
    digest: Callable[..., str], tmp_path: Path, variable: str, form: str
) -> None:
    """Also by a link, or by one in a folder on the way, as in a ConfigMap that is mounted."""
    for name in ("v1", "v2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    (tmp_path / "data").symlink_to("v1")
    (tmp_path / "file").symlink_to("data/file")
    given = {variable: form.format(tmp_path / "file")}
    seen = [digest(**given)]
    (tmp_path / "v1/file").write_text("other")
    seen.append(digest(**given))
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to("v2")
    seen.append(digest(**given))
    (tmp_path / "file").unlink()
    seen.append(digest(**given))
    assert len(set(seen)) == 4


def test_an_element_that_is_a_link_is_an_input(digest: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "elsewhere/two/root.d").mkdir(parents=True)
    hook = tmp_path / "elsewhere/two/root.d/10-two"
    hook.write_text("true\n")
    (tmp_path / "elements/two").symlink_to(tmp_path / "elsewhere/two")
    before = digest()
    hook.write_text("false\n")
    assert digest() != before


def test_links_in_a_circle_and_to_what_no_file_is_end(digest: Callable[..., str], tmp_path: Path) -> None:
    static = tmp_path / "elements/one/static"
    static.mkdir()
    for name, target in (
        ("circle", ".."),
        ("self", "self"),
        ("dangling", "nowhere"),
        ("out", "/dev/stdout"),
        ("mtab", "/proc/self/mounts"),
    ):
        (static / name).symlink_to(target)
    os.mkfifo(static / "fifo")
    before = digest(DIB_ONE="/dev/zero", DIB_ROOT="/proc")
    assert digest(DIB_ONE="/dev/zero", DIB_ROOT="/proc") == before
    (static / "dangling").unlink()
    (static / "dangling").symlink_to("nowhere-else")
    assert digest(DIB_ONE="/dev/zero", DIB_ROOT="/proc") != before


def test_what_every_build_has_anew_does_not(digest: Callable[..., str], tmp_path: Path) -> None:
    def build(number: int) -> str:
        return digest(
            "-o",
            f"node-{number}",
            "--logfile",
            f"/logs/{number}.log",
            DIB_IMAGE_FILENAME=f"node-{number}.qcow2",
            DIB_GATE_STATE=f"/state/{number}",
            DIB_LOCKFILES=str(tmp_path / "locks"),
            INVOCATION_ID=str(number),
            PWD=f"/{number}",
            SSH_CONNECTION=f"192.0.2.1 {number} 192.0.2.2 22",
            TMPDIR=f"/tmp/{number}",
        )

    before = build(1)
    for folder in ("cache", "locks", "elements/one/__pycache__", "elements/one/.git"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").write_text("")
    (tmp_path / "elements/one/x.pyc").write_text("")
    # The folders did not exist before; that they do now is no input either.
    assert build(2) == before
