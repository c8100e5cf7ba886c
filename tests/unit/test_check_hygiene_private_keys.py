import re
from typing import Any

import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, only
from tests.support.memory_engine import Broken, Entry, MemoryEngine

CHECK = "hygiene-private-keys"
KEY = pki.private_key("x")


@pytest.fixture
def tree() -> dict[str, Entry]:
    return images.debian() | {"/etc/hostname": "node\n"}


def keys(tree: dict[str, Entry], **rules: Any) -> list[Finding]:
    return ask(CHECK, tree, images.policy(hygiene={"private_keys": True, **rules}))


def test_an_image_without_keys_passes(tree: dict[str, Entry]) -> None:
    finding = only(keys(tree))
    assert finding.status is Status.PASS
    assert re.fullmatch(r"none in \d+ files", finding.message)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/ssl/private/server.key",
        "/etc/anything",
        "/root/.ssh/id_ed25519",
        "/root/.ssh/work",
        "/home/zuul/.ssh/id_rsa",
        "/opt/app/tls.pem",
        "/srv/deploy_ed25519",
        "/var/lib/app/private_key.txt",
        "/usr/local/etc/x.key",
        "/tmp/x.pem",
    ],
)
def test_a_key_in_a_usual_place_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = KEY
    finding = only(keys(tree))
    assert (finding.subject, finding.status, finding.line) == (path, Status.FAIL, 1)
    assert "PKCS#8, not encrypted" in finding.message
    assert KEY.splitlines()[1].decode() not in str(finding)


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/python3/test.pem",
        "/opt/venv/lib/python3.11/site-packages/x/test.key",
        "/opt/app/notes.txt",
        "/var/lib/docker/overlay2/x/etc/x.key",
        "/var/lib/dpkg/info/x.pem",
    ],
)
def test_other_places_are_not_looked_at(tree: dict[str, Entry], path: str) -> None:
    tree[path] = KEY
    assert only(keys(tree)).status is Status.PASS


def test_the_snakeoil_key_is_called_by_its_name(tree: dict[str, Entry]) -> None:
    tree["/etc/ssl/private/ssl-cert-snakeoil.key"] = KEY
    finding = only(keys(tree))
    assert "ssl-cert" in finding.message
    assert "make-ssl-cert" in finding.hint


def test_allowed_keys_pass_and_are_counted(tree: dict[str, Entry]) -> None:
    tree["/etc/pki/test/demo.key"] = KEY
    finding = only(keys(tree, private_keys_allowed=["/etc/pki/test/*.key"]))
    assert finding.status is Status.PASS
    assert re.fullmatch(r"none in \d+ files, but for 1 that the policy allows", finding.message)


def test_host_keys_are_left_to_their_own_check(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/ssh_host_rsa_key"] = KEY
    assert only(keys(tree)).status is Status.FAIL
    assert only(keys(tree, ssh_host_keys=True)).status is Status.PASS


def test_a_file_that_cannot_be_read_hides_nothing(tree: dict[str, Entry]) -> None:
    tree["/etc/broken"], tree["/etc/x.key"] = Broken(), KEY
    findings = keys(tree)
    assert {(finding.subject, finding.status) for finding in findings} == {
        ("/etc/broken", Status.ERROR),
        ("/etc/x.key", Status.FAIL),
    }


def test_of_a_large_file_the_beginning_is_read(tree: dict[str, Entry]) -> None:
    tree["/etc/large"] = KEY + b"\n" * 300_000
    assert only(keys(tree)).status is Status.FAIL


def test_no_file_at_all_could_not_tell() -> None:
    with pytest.raises(ValidatorError, match="no file was found"):
        keys({"/usr/lib/os-release": images.OS_RELEASE})


def test_too_many_files_could_not_tell(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.secrets.MAX_FILES", 1)
    with pytest.raises(ValidatorError, match="more than 1 files"):
        keys(tree)


def test_each_file_is_read_once(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    tree["/etc/apt/sources.list"] = "deb https://mirror.internal/debian bookworm main\n"
    reads: list[str] = []
    plain = MemoryEngine._read

    def counting(engine: MemoryEngine, path: str, offset: int, size: int) -> bytes:
        reads.append(path)
        return plain(engine, path, offset, size)

    monkeypatch.setattr(MemoryEngine, "_read", counting)
    keys(tree)
    assert reads.count("/etc/apt/sources.list") == 1


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    tree["/etc/x.key"] = KEY
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
