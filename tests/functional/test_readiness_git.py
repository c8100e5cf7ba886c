"""The lines about Git, against real servers: once green, and once red for each way to fail.

Gerrit is not among them, since it is in no package: its answers are recorded, in the form of its REST documentation.
"""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.elements.pki import make_ca, make_server
from tests.functional.git_servers import BACKEND, fastcgi, git_daemon, make_repository
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, dnsmasq, nginx, presenting, readiness
from tests.support.sshd import Server, make_key, serve

NAME = "git.internal"
PASSWORD = "correct horse"
# rest-api-config.html#get-version and rest-api-projects.html#list-branches
GERRIT = """
        location = /config/server/version { return 200 ')]}\\'\\n"3.11.2"\\n'; }
        location ~ ^/projects/zuul(%2F|/)config/branches/$ {
            return 200 ')]}\\'\\n[{"ref": "HEAD", "revision": "main"},
                {"ref": "refs/meta/config", "revision": "0123456789012345678901234567890123456789"},
                {"ref": "refs/heads/main", "revision": "67ebf73496383c6777035e374d2d664009e2aa5c"}]\\n'; }
        location /projects/ { return 404 'Not found: other'; }
        location ~ ^/a/ {
            auth_basic Gerrit; auth_basic_user_file FOLDER/users; try_files /version.json =404;
        }
        location /login/ { default_type text/html; return 200 '<html>Sign in</html>'; }
        location /page/ { default_type text/html; return 200 '<!DOCTYPE html>\n<title>Git</title>\n'; }
        location /moved/ { return 302 https://192.0.2.1/; }
"""


@dataclass(frozen=True)
class Lab:
    """Repositories ``config`` (branches main and stable/2026.1) below ``root``, and ``ports`` of the web servers."""

    folder: Path
    root: Path
    ports: dict[str, int]

    @property
    def bundle(self) -> dict[str, str]:
        return {"bundle": str(self.folder / "root.pem")}

    def url(self, path: str = "/git/config", server: str = "good") -> str:
        return f"https://127.0.0.1:{self.ports[server]}{path}"

    def check(self, folder: Path, url: str, branches: tuple[str, ...] = ("main",), /, **more: Any) -> Outcome:
        sections = {"limits": more.pop("limits", {"timeout": 30}), **more.pop("sections", {})}
        git = {"url": url, "branches": list(branches), **more}
        return readiness(folder, services={"git": [git]}, certificates=self.bundle, **sections)

    def gerrit(self, folder: Path, path: str = "", **more: Any) -> Outcome:
        services = {"gerrit": [{"url": self.url(path), **more}]}
        return readiness(folder, services=services, certificates=self.bundle, limits={"timeout": 30})


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("git")
    root = make_ca("Readiness root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    (folder / "version.json").write_text(')]}\'\n"3.11.2"\n')
    make_repository(folder / "repositories/config", ["main", "stable/2026.1"])
    words = subprocess.run(["openssl", "passwd", "-6", PASSWORD], check=True, text=True, stdout=subprocess.PIPE)
    (folder / "users").write_text(f"factory:{words.stdout}")
    names = ["127.0.0.1", NAME]
    with fastcgi(folder) as backend:
        common = {"root": folder / "repositories", "socket": backend}
        guard = f"auth_basic Git; auth_basic_user_file {folder}/users;"
        settings = BACKEND.format(place="/git", guard="", **common) + BACKEND.format(
            place="/private", guard=guard, **common
        )
        settings += GERRIT.replace("FOLDER", str(folder))
        settings += "location /broken/ { return 500; }"
        servers = {
            "good": presenting(make_server(root, names), settings=settings),
            "stranger": presenting(make_server(make_ca("Another root"), names), settings=settings),
            "other-name": presenting(make_server(root, ["other.internal"]), settings=settings),
        }
        with nginx(folder, servers) as ports:
            yield Lab(folder, folder / "repositories", ports)


def test_everything_is_as_it_should_be_over_https(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.url(), ("main", "stable/2026.1"))
    assert outcome.bad() == {}
    assert outcome.status == 0
    assert outcome.of("git-branches") == [(lab.url(), "pass", "has main, stable/2026.1")]


def test_a_branch_that_is_missing(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.url(), ("main", "stable/2026.2"))
    assert outcome.bad() == {"git-branches": "lacks stable/2026.2; its branches are main, stable/2026.1"}
    assert outcome.status == 1


@pytest.mark.parametrize(
    ("path", "server", "said"),
    [
        ("/git/missing", "good", "there is no such repository"),
        ("/broken/config", "good", "answers HTTP status 500"),
        ("/page/config", "good", "what answers there is no Git server"),
        ("/moved/config", "good", "answers HTTP status 302"),
        ("/private/config", "good", "wants a user and a password, or others"),
        ("/git/config", "stranger", "its certificate does not verify with the bundle"),
    ],
)
def test_servers_that_do_not_have_it(lab: Lab, tmp_path: Path, path: str, server: str, said: str) -> None:
    assert lab.check(tmp_path, lab.url(path, server)).bad() == {"git-branches": said}


def test_a_certificate_for_another_name(lab: Lab, tmp_path: Path) -> None:
    said = lab.check(tmp_path, lab.url(server="other-name")).bad()["git-branches"]
    assert said.startswith("its certificate does not verify: ")
    assert "127.0.0.1" in said


def test_silence_and_nobody(lab: Lab, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        for scheme in ("https", "git"):
            url = f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}/config"
            bad = lab.check(tmp_path, url, limits={"timeout": 1}).bad()
            assert bad == {"git-branches": "silent, no whole answer within 1 s"}
    for scheme in ("https", "git"):
        bad = lab.check(tmp_path, f"{scheme}://127.0.0.1:{free_port()}/config").bad()
        assert bad == {"git-branches": "no connection to 127.0.0.1: refused, nobody listens there"}


def test_names_come_from_the_internal_resolvers(lab: Lab, tmp_path: Path) -> None:
    with dnsmasq(f"--host-record={NAME},127.0.0.1") as resolver:
        url, sections = lab.url().replace("127.0.0.1", NAME), {"dns": {"resolvers": [resolver]}}
        assert lab.check(tmp_path, url, sections=sections).bad() == {}
        bad = lab.check(tmp_path, url.replace(NAME, "old.internal"), sections=sections).bad()
    assert bad == {"git-branches": f"old.internal does not resolve ({resolver}: REFUSED)"}


def test_a_password_over_https_is_never_told(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    login = {"user": "factory", "password": "env:GIT_WORD"}
    monkeypatch.setenv("GIT_WORD", PASSWORD)
    assert lab.check(tmp_path, lab.url("/private/config"), **login).bad() == {}
    monkeypatch.setenv("GIT_WORD", "wrong donkey")
    said = lab.check(tmp_path, lab.url("/private/config"), **login).bad()
    assert said == {"git-branches": "wants a user and a password, or others"}
    assert "donkey" not in (tmp_path / "readiness.json").read_text() + "".join(capfd.readouterr())


def test_nothing_of_the_users_configuration_counts(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a switch in the environment or the home, nor a repository that we happen to be in."""
    (tmp_path / ".gitconfig").write_text('[http]\n\tsslVerify = false\n[url "file:///"]\n\tinsteadOf = https://\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    monkeypatch.chdir(lab.root / "config")
    bad = lab.check(tmp_path, lab.url(server="stranger")).bad()
    assert bad == {"git-branches": "its certificate does not verify with the bundle"}


def test_git_daemon(lab: Lab, tmp_path: Path) -> None:
    with git_daemon(lab.root) as port:
        url = f"git://127.0.0.1:{port}"
        assert lab.check(tmp_path, f"{url}/config").bad() == {}
        bad = lab.check(tmp_path, f"{url}/missing").bad()
        with dnsmasq(f"--host-record={NAME},127.0.0.1") as resolver:
            sections = {"dns": {"resolvers": [resolver]}}
            assert lab.check(tmp_path, f"git://{NAME}:{port}/config", sections=sections).bad() == {}
    assert bad == {"git-branches": "there is no such repository"}


@pytest.mark.parametrize("scheme", ["https", "ssh", "git"])
def test_an_interrupted_run_leaves_neither_a_program_of_gits_nor_a_file(lab: Lab, tmp_path: Path, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        git = {"url": f"{scheme}://127.0.0.1:{deaf.getsockname()[1]}/config", "branches": ["main"]}
        if scheme == "ssh":
            (tmp_path / "hosts").touch()
            git |= {"key": f"file:{make_key(tmp_path / 'key')}", "known_hosts": "hosts"}
        document = {"version": 1, "name": "test", "services": {"git": [git]}, "limits": {"timeout": 300}}
        (tmp_path / "factory.yaml").write_text(yaml.safe_dump(document))
        command = [sys.executable, "-m", "diskimage_validator", "readiness", str(tmp_path / "factory.yaml")]
        (temporary := tmp_path / "tmp").mkdir()
        environment = {**os.environ, "TMPDIR": str(temporary)}
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        ) as running:
            link, _ = deaf.accept()
            assert list(temporary.iterdir())
            running.terminate()
            assert running.wait(timeout=20) == 143
        assert list(temporary.iterdir()) == []
        link.settimeout(20)
        with link, contextlib.suppress(ConnectionResetError):
            while link.recv(4096):  # the connection ends when the program that made it does
                pass


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def ssh(server: Server, folder: Path, key: Path | None = None, host_key: str = "") -> dict[str, str]:
    (folder / "hosts").write_text(f"[127.0.0.1]:{server.port} {host_key or server.host_key}\n")
    return {"key": f"file:{key or server.key}", "known_hosts": "hosts"}


def test_git_over_ssh(lab: Lab, tmp_path: Path, sshd: Server) -> None:
    url = f"{sshd.url}{lab.root}"
    assert lab.check(tmp_path, f"{url}/config", **ssh(sshd, tmp_path)).bad() == {}
    bad = lab.check(tmp_path, f"{url}/missing", **ssh(sshd, tmp_path)).bad()
    assert bad == {"git-branches": "there is no such repository"}


def test_git_over_ssh_by_the_name_of_an_internal_resolver(lab: Lab, tmp_path: Path, sshd: Server) -> None:
    access = ssh(sshd, tmp_path)
    (tmp_path / "hosts").write_text(f"[{NAME}]:{sshd.port} {sshd.host_key}\n")
    with dnsmasq(f"--host-record={NAME},127.0.0.1") as resolver:
        url, sections = sshd.url.replace("127.0.0.1", NAME), {"dns": {"resolvers": [resolver]}}
        assert lab.check(tmp_path, f"{url}{lab.root}/config", sections=sections, **access).bad() == {}


def test_keys_that_are_refused(lab: Lab, tmp_path: Path, sshd: Server) -> None:
    url = f"{sshd.url}{lab.root}/config"
    stranger = make_key(tmp_path / "stranger")
    bad = lab.check(tmp_path, url, **ssh(sshd, tmp_path, key=stranger)).bad()
    assert bad["git-branches"].startswith("refuses this user and key (publickey")
    other = " ".join(stranger.with_suffix(".pub").read_text().split()[:2])
    bad = lab.check(tmp_path, url, **ssh(sshd, tmp_path, host_key=other)).bad()
    assert bad == {"git-branches": "its host key is another one than in 'known_hosts'"}
    access = ssh(sshd, tmp_path)
    (tmp_path / "hosts").write_text("")
    assert lab.check(tmp_path, url, **access).bad() == {"git-branches": "its host key is not in 'known_hosts'"}


def test_gerrit(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.gerrit(tmp_path, projects=[{"name": "zuul/config", "branches": ["main"]}])
    assert outcome.bad() == {}
    assert outcome.of("gerrit-server")[0][2] == "answers: version 3.11.2"
    assert outcome.of("gerrit-branches") == [(f"zuul/config of {lab.url('')}", "pass", "has main")]


def test_projects_and_branches_that_gerrit_lacks(lab: Lab, tmp_path: Path) -> None:
    projects = [{"name": "zuul/config", "branches": ["stable"]}, {"name": "other", "branches": ["main"]}]
    found = lab.gerrit(tmp_path, projects=projects).of("gerrit-branches")
    assert [message for _, _, message in found] == [
        "lacks stable; its branches are main",
        "answers HTTP status 404",
    ]


def test_gerrit_with_a_login(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"user": "factory", "password": "env:GERRIT_PASSWORD"}
    monkeypatch.setenv("GERRIT_PASSWORD", PASSWORD)
    assert lab.gerrit(tmp_path, **login).bad() == {}
    monkeypatch.setenv("GERRIT_PASSWORD", "wrong donkey")
    assert lab.gerrit(tmp_path, **login).bad() == {"gerrit-server": "answers HTTP status 401"}
    page = "answers with something else than JSON (Content-Type text/html)"
    assert lab.gerrit(tmp_path, "/login").bad() == {"gerrit-server": page}
