"""Who is let in, and by whom: keys, agents, jump hosts, and host keys that are never taken on trust."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diskimage_validator.engines.ssh.engine import SshEngine
from diskimage_validator.engines.ssh.options import Destination
from diskimage_validator.errors import EngineError, UsageError
from tests.support.sshd import Server, keygen, make_key, serve
from tests.support.waiting import wait_for

NOBODY = Destination("127.0.0.1", 1, "root")
"""Nobody listens on port 1."""
NOBODY_URL = "ssh://root@127.0.0.1:1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("sshd"), host_keys=("ed25519", "ecdsa", "rsa")) as running:
        yield running


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("bastion")) as running:
        yield running


def logs_in(server: Server, **options: object) -> bool:
    with SshEngine(server.destination, server.options(**options)) as engine:
        return engine.read("/etc/hostname") == Path("/etc/hostname").read_bytes()


def line(server: Server, name: str = "", kind: str = "ed25519") -> str:
    """Return a line of known_hosts."""
    key = " ".join((server.folder / f"host_{kind}.pub").read_text().split()[:2])
    return f"{name or f'[127.0.0.1]:{server.port}'} {key}\n"


# Host keys.


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_of_any_kind_can_be_pinned(server: Server, kind: str) -> None:
    assert logs_in(server, host_keys=(line(server, kind=kind).split(" ", 1)[1].strip(),))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_key_of_any_kind_can_be_known(server: Server, tmp_path: Path, kind: str) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(line(server, kind=kind))
    assert logs_in(server, host_keys=(), known_hosts=(known,))


@pytest.mark.parametrize("name", ["[127.0.0.*]:{port}", "127.0.0.1", "!other,*"])
def test_names_are_understood_as_ssh_does(server: Server, tmp_path: Path, name: str) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("# a comment\n\nnonsense\n" + line(server, name.format(port=server.port)))
    assert logs_in(server, host_keys=(), known_hosts=(known,))


def test_hashed_names_are_understood(server: Server, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(line(server))
    keygen("-H", "-f", str(known))
    assert known.read_text().startswith("|1|")
    assert logs_in(server, host_keys=(), known_hosts=(known,))


def test_the_fingerprint_of_an_error_message_pins_the_key(server: Server) -> None:
    with pytest.raises(EngineError, match=r"its host key is not known: ssh-ed25519 SHA256:") as caught:
        logs_in(server, host_keys=(), known_hosts=(Path("/nonesuch"),))
    assert server.fingerprint in caught.value.message
    found = re.search(r"--host-key '(SHA256:\S+)'", caught.value.hint)
    assert found
    assert logs_in(server, host_keys=(found[1],))


def test_another_key_than_the_pinned_one_is_refused(server: Server, bastion: Server) -> None:
    for pin in (bastion.host_key, bastion.fingerprint):
        with pytest.raises(EngineError, match="which is not what --host-key says"):
            logs_in(server, host_keys=(pin,))


def test_a_key_that_changed_is_refused_with_the_line_that_knew_it(
    server: Server, bastion: Server, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    known.write_text("# first\n" + line(bastion, f"[127.0.0.1]:{server.port}"))
    with pytest.raises(EngineError, match=rf"is not what {re.escape(str(known))}:2 says"):
        logs_in(server, host_keys=(), known_hosts=(known,))


@pytest.mark.parametrize("also_known", [False, True])
def test_a_revoked_key_is_refused(server: Server, tmp_path: Path, also_known: bool) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(f"@revoked * {line(server).split(' ', 1)[1]}" + also_known * line(server))
    with pytest.raises(EngineError, match=r"is revoked by .*known_hosts:1"):
        logs_in(server, host_keys=(), known_hosts=(known,))


@pytest.mark.parametrize("pin", ["", "ssh-ed25519", "SHA256:short", "MD5:00:11", "bastion", "ssh-ed25519 not*base64"])
def test_a_pin_that_is_none_is_refused(server: Server, pin: str) -> None:
    with pytest.raises(UsageError, match="no host key"):
        logs_in(server, host_keys=(pin,))


def test_the_command_line_says_how_to_pin_an_unknown_key(server: Server) -> None:
    command = [sys.executable, "-m", "diskimage_validator", "ls", server.url, "/etc", "--ssh-config", "none"]
    command += ["--known-hosts", "/nonesuch", "--ssh-key", str(server.key)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert f"--host-key '{server.fingerprint}'" in " ".join(done.stderr.split())
    done = subprocess.run([*command, "--host-key", server.fingerprint], check=True, capture_output=True, text=True)
    assert "passwd" in done.stdout.splitlines()


# Keys and agents.


def test_a_key_that_nobody_knows_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="takes none of 1 keys"):
        logs_in(server, key=make_key(tmp_path / "stranger"))


@pytest.mark.parametrize("content", [None, "", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"])
def test_a_key_file_that_is_none_is_the_callers_mistake(server: Server, tmp_path: Path, content: str | None) -> None:
    key = tmp_path / "key"
    if content is not None:
        key.write_text(content)
    with pytest.raises(UsageError, match="cannot use the key"):
        logs_in(server, key=key)


@contextmanager
def agent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    path = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        try:
            yield
        finally:
            process.terminate()


def add_to_agent(key: Path, folder: Path, passphrase: str = "") -> None:
    ask = folder / "askpass"
    ask.write_text(f"#!/bin/sh\necho {passphrase}\n")
    ask.chmod(0o755)
    environment = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment, stdin=subprocess.DEVNULL)


def test_an_agent_lets_in(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(EngineError, match="there is no key to log in with"):
        logs_in(server, key=None)
    with agent(tmp_path, monkeypatch):
        add_to_agent(make_key(tmp_path / "other"), tmp_path)
        add_to_agent(server.key, tmp_path)
        assert logs_in(server, key=None)


def test_a_passphrase_is_left_to_the_agent(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    key = make_key(tmp_path / "locked", passphrase="geheim")
    authorized = server.folder / "authorized_keys"
    before = authorized.read_text()
    authorized.write_text(before + key.with_suffix(".pub").read_text())
    try:
        with pytest.raises(EngineError) as caught:
            logs_in(server, key=key)
        assert caught.value.hint == f"{key} has a passphrase: ssh-add it to an agent"
        with agent(tmp_path, monkeypatch):
            add_to_agent(key, tmp_path, passphrase="geheim")
            assert logs_in(server, key=key)
            with pytest.raises(EngineError, match="takes none of 1 keys"):  # a stated key is the only one
                logs_in(server, key=make_key(tmp_path / "stranger"))
    finally:
        authorized.write_text(before)


# Ways.


def test_a_jump_host_is_gone_through_and_checked(server: Server, bastion: Server) -> None:
    authorize(bastion, server)
    jump = f"{bastion.user}@127.0.0.1:{bastion.port}"
    pin = f"[127.0.0.1]:{bastion.port} {bastion.host_key}"
    assert logs_in(server, jump=jump, host_keys=(server.host_key, pin))
    with pytest.raises(EngineError, match="its host key is not known"):
        logs_in(server, jump=jump, known_hosts=(Path("/nonesuch"),))
    with pytest.raises(EngineError, match="which is not what --host-key says"):
        logs_in(server, jump=jump, host_keys=(server.host_key, f"[127.0.0.1]:{bastion.port} {server.host_key}"))
    with pytest.raises(EngineError, match=r"cannot reach 127\.0\.0\.1 port 1 from its jump host"):
        SshEngine(NOBODY, server.options(jump=jump, host_keys=(server.host_key, pin)))


def authorize(other: Server, server: Server) -> None:
    """Let the key of ``server`` into ``other``, too."""
    (other.folder / "authorized_keys").write_text(server.key.with_suffix(".pub").read_text())


def test_the_configuration_of_ssh_says_the_way(
    server: Server, bastion: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorize(bastion, server)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    known, config = tmp_path / "known_hosts", tmp_path / "config"
    known.write_text(line(server, "the-node") + line(bastion))
    config.write_text(
        f"Host node.internal\n  HostName 127.0.0.1\n  Port {server.port}\n  ProxyJump bastion.internal\n"
        f"  HostKeyAlias the-node\n"
        f"Host bastion.internal\n  HostName 127.0.0.1\n  Port {bastion.port}\n"
        f"Host *\n  User {server.user}\n  IdentityFile {server.key}\n  UserKnownHostsFile {known}\n"
        "  StrictHostKeyChecking no\n"
    )
    command = [sys.executable, "-m", "diskimage_validator", "cat", "ssh://node.internal", "/etc/hostname"]
    done = subprocess.run([*command, "--ssh-config", str(config)], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (0, Path("/etc/hostname").read_bytes()), done.stderr
    known.write_text(line(bastion))
    done = subprocess.run([*command, "--ssh-config", str(config)], check=False, capture_output=True)
    assert done.returncode == 3  # StrictHostKeyChecking no accepts nothing here


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n", "more than 8 jump hosts"),
        ("Host a\n  ProxyCommand nc %h %p\n", "ProxyCommand is not supported"),
        ("Include other\n", "Include is not understood"),
        ("Host a\n  Port many\n", "ssh_config: "),
        ("\x00\x01", "cannot read"),
    ],
)
def test_a_configuration_that_cannot_be_followed_is_refused(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "config"
    config.write_text(text)
    command = [sys.executable, "-m", "diskimage_validator", "ls", "ssh://a", "--ssh-config", str(config)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(EngineError, match="no SSH connection"):
            SshEngine(Destination("127.0.0.1", silent.getsockname()[1]), server.options(timeout=1.0))
        assert time.monotonic() - started < 10


def test_nobody_there_is_one_clear_line(server: Server) -> None:
    with pytest.raises(EngineError, match=r"cannot reach 127\.0\.0\.1 port 1: Connection refused"):
        SshEngine(NOBODY, server.options())


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whoever_gives_up_leaves_no_connection(tmp_path: Path, number: int, status: int) -> None:
    with serve(tmp_path, settings="ForceCommand sleep 20") as hanging:
        command = [sys.executable, "-m", "diskimage_validator", "ls", hanging.url, "/", "--ssh-config", "none"]
        command += ["--ssh-key", str(hanging.key), "--host-key", hanging.host_key]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert wait_for(lambda: "sleep 20" in children_of(hanging.process.pid))
            process.send_signal(number)
            _, errors = process.communicate(timeout=15)
        assert process.returncode == status, errors
        assert "Traceback" not in errors
        assert wait_for(lambda: not hanging.sessions())


def children_of(pid: int) -> str:
    """Return the command lines of all that descends from a process."""
    done = subprocess.run(["ps", "-e", "-o", "pid=,ppid=,args="], check=True, capture_output=True, text=True)
    parents = {pid}
    found = []
    for line in sorted(done.stdout.splitlines(), key=lambda text: int(text.split()[0])):
        child, parent, arguments = line.split(None, 2)
        if int(parent) in parents:
            parents.add(int(child))
            found.append(arguments)
    return "\n".join(found)


def test_several_nodes_are_judged_side_by_side(server: Server, bastion: Server, tmp_path: Path) -> None:
    authorize(bastion, server)
    policy, known = tmp_path / "policy.yaml", tmp_path / "known_hosts"
    policy.write_text("version: 1\nname: plain\nos: {}\n")
    known.write_text(line(server) + line(bastion))
    command = [sys.executable, "-m", "diskimage_validator", "validate", server.url, bastion.url, NOBODY_URL]
    command += ["--policy", str(policy), "--ssh-config", "none", "--known-hosts", str(known), "--format", "json"]
    command += ["--ssh-key", str(server.key), "--report", f"json={tmp_path}/{{name}}.json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 3  # nobody listens on port 1
    for judged in (server, bastion):
        report = json.loads((tmp_path / f"{judged.user}@127.0.0.1:{judged.port}.json").read_text())
        assert report["engine"] == "ssh"
        assert report["target"]["name"] == judged.url
        assert report["summary"]["pass"] > 0
