import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import ANCHOR, BUNDLE, internal_ca
from tests.support.memory_engine import Broken, Entry, File
from tests.support.stores import make_jks

CHECK = "ca-private-keys"
KEY = pki.private_key("x")
CLIENT = "/etc/docker/certs.d/registry.internal:5000/client.key"


def found(tree: dict[str, Entry], allowed: str = "none") -> list[Finding]:
    return ask(CHECK, tree, images.policy(certificates={"private_keys": allowed}))


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    assert only(found(tree)).status is Status.PASS


def test_it_is_not_asked_by_default(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


@pytest.mark.parametrize(
    "path",
    [
        ANCHOR,
        BUNDLE,
        "/usr/local/share/ca-certificates/README",
        "/etc/ssl/certs/key.pem",
        "/etc/docker/certs.d/registry.internal:5000/ca.crt",
        "/opt/venv/certifi/cacert.pem",
    ],
)
def test_a_key_in_a_store_or_beside_it_fails(tree: dict[str, Entry], path: str) -> None:
    tree[path] = internal_ca() + KEY
    finding = only(failures(found(tree, "client")))
    assert (finding.subject, finding.status) == (path, Status.FAIL)
    assert finding.line == internal_ca().count(b"\n") + 1
    assert "BEGIN" not in str(finding)
    assert KEY.split(b"\n")[1].decode() not in str(finding)


def test_a_key_in_a_java_keystore_fails(tree: dict[str, Entry]) -> None:
    tree["/etc/ssl/certs/java/cacerts"] = make_jks([], keys=1)
    finding = only(failures(found(tree)))
    assert (finding.subject, finding.line) == ("/etc/ssl/certs/java/cacerts", 0)


@pytest.mark.parametrize(
    ("allowed", "mode", "status"),
    [
        ("client", 0o600, Status.PASS),
        ("client", 0o400, Status.PASS),
        ("client", 0o640, Status.FAIL),
        ("client", 0o644, Status.FAIL),
        ("none", 0o600, Status.FAIL),
    ],
)
def test_client_keys_may_be_allowed(tree: dict[str, Entry], allowed: str, mode: int, status: Status) -> None:
    tree[CLIENT] = File(KEY, mode)
    assert only([finding for finding in found(tree, allowed) if finding.subject == CLIENT]).status is status


def test_a_file_that_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree["/usr/local/share/ca-certificates/x"] = Broken()
    finding = only(found(tree))
    assert (finding.status, finding.path) == (Status.ERROR, "/usr/local/share/ca-certificates/x")
