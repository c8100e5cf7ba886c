"""A remote node as a target, over a real sshd: the same facts as of the same tree as a folder, whoever logs in."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.ssh.engine import UNTOLD, SshEngine
from diskimage_validator.errors import EngineError, EntryNotFoundError, PermissionDeniedError
from diskimage_validator.facts import USUAL, dump
from diskimage_validator.model import Report, Status
from diskimage_validator.policy import load_policy
from diskimage_validator.runner import inspect, validate
from tests.functional.ssh_node import BEFORE_1970, Node, run_node
from tests.support.sshd import SFTP_SERVER, Server, serve

AT_REST = [name for name in USUAL if not name.startswith("live_") and name != "registry_proof"]
"""Facts that a folder has, too."""
POLICY = """\
version: 1
name: of-a-node
os: {any: [{id: debian}]}
packages: {required: [bash]}
access:
  accounts: {required: [{name: zuul}, {name: guest}]}
  sudo: {nopasswd: [zuul]}
hygiene: {private_keys: true}
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with run_node(tmp_path_factory.mktemp("node")) as running:
        yield running


@pytest.fixture(scope="module")
def as_folder(node: Node) -> dict[str, Any]:
    return comparable(json.loads(node.inspect_as_folder()))


@pytest.fixture
def engine(node: Node) -> Iterator[SshEngine]:
    with SshEngine(node.server.destination, node.server.options()) as opened:
        yield opened


def comparable(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name in AT_REST}


def look(server: Server, **options: object) -> dict[str, Any]:
    return comparable(dump(inspect(server.url, ssh=server.options(**options), only=AT_REST)))


def state(node: Node) -> str:
    """Return path, mode, owner, size and times of everything on the node's own disk."""
    command = ["find", str(node.root), "-xdev", "-path", f"{node.root}/proc", "-prune", "-o", "-printf"]
    return node.inside(*command, r"%p %m %U %G %s %T@ %C@\n")


def test_root_sees_what_the_folder_has_and_leaves_no_trace(node: Node, as_folder: dict[str, Any]) -> None:
    before = state(node)
    found = look(node.server)
    assert set(found) == set(AT_REST)
    for name, fact in as_folder.items():
        assert found[name] == fact, name
    assert found["accounts"]["users"], "nothing was compared"
    assert state(node) == before


def test_an_account_with_sudo_sees_the_same(node: Node, as_folder: dict[str, Any]) -> None:
    server = node.server.as_user("zuul")
    assert look(server) == as_folder
    with SshEngine(server.destination, server.options()) as engine:
        assert engine.read("/etc/passwd")
        assert engine.notes == []  # no more rights than are needed
        assert engine.read("/etc/shadow")
        assert engine.notes == ["what the account may not read was read as root, through sudo"]


def test_every_entry_is_what_it_is_in_the_folder(node: Node, engine: SshEngine) -> None:
    script = "import sys; from diskimage_validator import open_target; print(dict(open_target(sys.argv[1]).walk('/')))"
    expected = node.inside(sys.executable, "-c", script, f"dir:{node.root}")
    assert str(dict(engine.walk("/"))) == expected.rstrip("\n")


def test_files_are_read_one_by_one_where_there_is_no_shell(node: Node, tmp_path: Path) -> None:
    only_sftp = "ForceCommand internal-sftp\nSubsystem sftp internal-sftp"
    with (
        serve(tmp_path / "sshd", settings=only_sftp) as server,
        SshEngine(server.destination, server.options()) as engine,
    ):
        assert engine.read("/etc/passwd") == Path("/etc/passwd").read_bytes()
        assert engine.listdir("/proc") == []
        folder = Path(engine.resolve(str(node.root / "srv")))
        with pytest.raises(EngineError, match="not UTF-8"):
            engine.listdir(str(folder))
        assert engine.notes[0].startswith("the files were listed one by one")
        assert [path for path, _ in engine.walk("/etc/apt")] == sorted_walk(Path("/etc/apt"))
        with pytest.raises(PermissionDeniedError):
            engine.run(["true"], timeout=5)


def test_a_time_before_1970_is_told_by_the_node_or_said_to_be_uncertain(
    node: Node, engine: SshEngine, tmp_path: Path
) -> None:
    entry = engine.lstat("/srv/before 1970")
    assert entry is not None
    assert entry.mtime == BEFORE_1970
    old = tmp_path / "old"
    old.write_text("x")
    os.utime(old, (0, BEFORE_1970))
    only_sftp = "ForceCommand internal-sftp\nSubsystem sftp internal-sftp"
    with serve(tmp_path / "sshd", settings=only_sftp) as server:
        with SshEngine(server.destination, server.options()) as one_by_one:
            assert "old" in one_by_one.listdir(str(tmp_path))
            assert UNTOLD in one_by_one.notes
        with SshEngine(server.destination, server.options()) as one_by_one:
            assert one_by_one.lstat(str(old)) is not None
            assert one_by_one.lstat(str(tmp_path)) is not None
            assert one_by_one.notes.count(UNTOLD) == 1


def sorted_walk(folder: Path) -> list[str]:
    with DirectoryEngine(Path("/")) as engine:
        return [path for path, _ in engine.walk(str(folder))]


def test_a_link_stays_a_link_and_leads_nowhere_else(engine: SshEngine) -> None:
    assert engine.readlink("/srv/climbing") == "../../../../etc/passwd"
    assert engine.read("/srv/climbing").startswith(b"root:")
    with pytest.raises(EntryNotFoundError):
        engine.read("/srv/fifo")
    entry = engine._lstat("/srv/absolute")
    assert entry is not None
    assert entry.is_link
    assert engine.lstat("/srv/" + "n" * 256) is None


# Partial rights.


def judge(server: Server, tmp_path: Path, **options: object) -> Report:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    return validate(server.url, load_policy(str(policy)), ssh=server.options(**options))


@pytest.mark.parametrize(
    ("user", "sudo", "reason"),
    [
        ("guest", True, "guest is not root, and sudo -n sh: sudo: a password is required"),
        ("zuul", False, "zuul is not root, and sudo is not to be used"),
    ],
)
def test_what_may_not_be_read_is_skipped_with_the_reason(
    node: Node, tmp_path: Path, user: str, sudo: bool, reason: str
) -> None:
    report = judge(node.server.as_user(user), tmp_path, sudo=sudo)
    asked = {result.check: result for result in report.results if result.asked}
    assert {check: str(result.status) for check, result in asked.items()} == {
        "os": "pass",
        "architecture": "pass",
        "packages-required": "pass",
        "accounts": "skip",
        "sudo": "skip",
        "hygiene-private-keys": "skip",
        "ca-anchors": str(asked["ca-anchors"].status),
    }
    for check in ("accounts", "sudo", "hygiene-private-keys"):
        assert "permission denied" in asked[check].finding.message
        assert asked[check].finding.hint == reason


def test_an_account_with_sudo_gets_verdicts(node: Node, tmp_path: Path) -> None:
    for user in ("root", "zuul"):
        report = judge(node.server.as_user(user), tmp_path)
        assert report.count(Status.ERROR) == 0, report.results
        skipped = [result.check for result in report.results if result.asked and result.status is Status.SKIP]
        assert skipped == []


# Commands.


def test_commands_end_with_status_and_both_outputs(engine: SshEngine) -> None:
    done = engine.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout=10)
    assert (done.status, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert engine.run(["printf", "%s", "a b'c\n$(id)"], timeout=10).stdout == "a b'c\n$(id)"
    assert engine.run(["nonesuch"], timeout=10).status == 127
    assert engine.run(["cat"], timeout=10).stdout == ""  # nothing on standard input
    text = "$HOME `id` 'a' \\ \n" * 5000
    done = engine.run(["sh", "-c", "ps -A -o args | grep -c '[$]HOME `id`'; exec cat"], timeout=10, stdin=text.encode())
    assert done.stdout == f"0\n{text}"  # and it is on no command line
    assert engine.run(["head", "-c", "5"], timeout=10, stdin=text.encode()).stdout == text[:5]
    assert engine.run(["cat"], timeout=10).stdout == ""


def test_no_wake_up_is_waited_for_in_vain(engine: SshEngine) -> None:
    for _ in range(2000):  # one of 1,500 was lost when the two outputs arrived at just the wrong moment
        done = engine.run(["sh", "-c", "echo out; echo err >&2"], timeout=1)
        assert (done.status, done.stdout, done.stderr) == (0, "out\n", "err\n")


def test_commands_of_root_need_sudo(node: Node) -> None:
    for user, expected in (("root", "0\n"), ("zuul", "0\n")):
        server = node.server.as_user(user)
        with SshEngine(server.destination, server.options()) as engine:
            assert engine.run(["id", "-u"], timeout=10, as_root=True).stdout == expected
    server = node.server.as_user("guest")
    with SshEngine(server.destination, server.options()) as engine:
        assert engine.run(["id", "-un"], timeout=10).stdout == "guest\n"
        with pytest.raises(PermissionDeniedError):
            engine.run(["id", "-u"], timeout=10, as_root=True)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["sleep", "600"], "sleep did not finish within 1 s"),
        (["sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"], "sh did not finish within 1 s"),
        (["yes"], "yes: more than 4194304 bytes of output"),
        (["sh", "-c", "yes >&2"], "sh did not finish within 1 s"),
    ],
)
def test_a_command_that_does_not_behave_is_ended_and_the_next_one_works(
    engine: SshEngine, command: list[str], expected: str
) -> None:
    with pytest.raises(EngineError, match=expected):
        engine.run(command, timeout=1)
    assert engine.run(["echo", "next"], timeout=10).stdout == "next\n"
    assert "sleep 600" not in engine.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"], timeout=10).stdout


# Servers that die or hang.


def test_a_connection_that_breaks_is_an_error_at_once(tmp_path: Path) -> None:
    with serve(tmp_path) as server, SshEngine(server.destination, server.options()) as engine:
        assert engine.exists("/etc")
        for pid in server.sessions():
            os.kill(pid, 9)
        started = time.monotonic()
        for path in ("/usr", "/var", "/etc/passwd"):
            with pytest.raises(EngineError, match="connection is lost"):
                engine.read(path)
        with pytest.raises(EngineError):
            engine.run(["true"], timeout=5)
        assert time.monotonic() - started < 10


def test_a_server_that_hangs_is_waited_for_once(tmp_path: Path) -> None:
    with serve(tmp_path) as server, SshEngine(server.destination, server.options(timeout=2.0)) as engine:
        assert engine.exists("/etc")
        parents = ",".join(map(str, server.sessions()))
        command = ["pgrep", "--full", "--parent", parents, SFTP_SERVER]
        stopped = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        os.kill(int(stopped.stdout), 19)
        try:
            started = time.monotonic()
            for path in ("/usr", "/var", "/etc/passwd"):
                with pytest.raises(EngineError, match="connection is lost"):
                    engine.read(path)
            assert time.monotonic() - started < 10
        finally:
            os.kill(int(stopped.stdout), 9)


def test_nothing_is_left_when_the_engine_is_closed(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        with SshEngine(server.destination, server.options()) as engine:
            engine.run(["true"], timeout=10)
            assert server.sessions()
        deadline = time.monotonic() + 10
        while server.sessions() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert server.sessions() == []
