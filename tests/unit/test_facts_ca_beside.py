import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from diskimage_validator.facts import ca_beside
from diskimage_validator.facts.ca_beside import read_blocked, scan_for_keys
from diskimage_validator.facts.ca_shelf import Shelf
from diskimage_validator.facts.ca_stores import Blocked, PrivateKey, UnreadFile
from tests.support import chains, pki
from tests.support.images import internal_ca
from tests.support.memory_engine import Broken, Entry, File, MemoryEngine

ANCHORS = "/usr/local/share/ca-certificates"
MADE = chains.authority("Internal CA")
LIST = "/etc/ca-certificates.conf"
SHA256 = pki.sha256(pki.certificate("Internal CA"))


def keys(tree: dict[str, Entry]) -> list[PrivateKey]:
    shelf = Shelf(MemoryEngine(tree))
    assert list(scan_for_keys(shelf)) == []
    return list(shelf.keys.values())


def blocked(tree: dict[str, Entry]) -> list[Blocked | UnreadFile]:
    return list(read_blocked(Shelf(MemoryEngine(tree))))


def test_a_key_behind_its_certificate_is_found_with_its_line() -> None:
    data = internal_ca() + MADE.key_pem
    line = internal_ca().count(b"\n") + 1
    assert keys({f"{ANCHORS}/sub/ca.crt": File(data, 0o640)}) == [
        PrivateKey(f"{ANCHORS}/sub/ca.crt", line, "PRIVATE KEY", 0o640)
    ]


def test_binary_keys_are_found() -> None:
    plain = MADE.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    secret = MADE.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    made = pkcs12.serialize_key_and_certificates(None, MADE.key, MADE.cert, None, BestAvailableEncryption(b"changeit"))
    locked = pkcs12.serialize_key_and_certificates(None, MADE.key, MADE.cert, None, BestAvailableEncryption(b"x"))
    found = keys(
        {
            f"{ANCHORS}/a.key": plain,
            f"{ANCHORS}/b.der": secret,
            f"{ANCHORS}/c.p12": made,
            f"{ANCHORS}/d.pfx": locked,
            f"{ANCHORS}/e.der": MADE.der,
            f"{ANCHORS}/f.key": b"\x30\x03\x02\x01\x00",
            f"{ANCHORS}/g.p12": b"text",
            f"{ANCHORS}/h.key": MADE.key_pem,
        }
    )
    assert {key.path[-5]: key.kind for key in found} == {
        "a": "PRIVATE KEY in DER form",
        "b": "ENCRYPTED PRIVATE KEY in DER form",
        "c": "private key in a PKCS #12 file",
        "d": "PKCS #12 file under a password",
        "h": "PRIVATE KEY",
    }


def test_client_keys_are_told_apart() -> None:
    path = "/etc/docker/certs.d/registry.internal:5000/client.key"
    assert keys({path: File(MADE.key_pem, 0o600)}) == [PrivateKey(path, 1, "PRIVATE KEY", 0o600, client=True)]


def test_what_cannot_be_looked_at_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(MemoryEngine({f"{ANCHORS}/a.crt": Broken(), f"{ANCHORS}/b.crt": MADE.key_pem}))
    (unread,) = scan_for_keys(shelf)
    assert (unread.path, len(shelf.keys)) == (f"{ANCHORS}/a.crt", 1)
    monkeypatch.setattr(ca_beside, "MAX_FILES", 1)
    (unread,) = scan_for_keys(Shelf(MemoryEngine({f"{ANCHORS}/{number}": b"" for number in range(3)})))
    assert unread.reason == "more than 1 files: the rest was not looked at"


def test_debian_lists_what_it_deselects() -> None:
    found = blocked(
        {
            LIST: "# text\nmozilla/A.crt\n!mozilla/B.crt\n!mozilla/gone.crt\n",
            "/usr/share/ca-certificates/mozilla/B.crt": internal_ca(),
        }
    )
    assert found == [Blocked(LIST, 3, "mozilla/B.crt", (SHA256,)), Blocked(LIST, 4, "mozilla/gone.crt", ())]


@pytest.mark.parametrize("folder", ["/etc/pki/ca-trust/source/blocklist", "/etc/pki/trust/blacklist"])
def test_blocklists_of_p11_kit(folder: str) -> None:
    assert blocked({f"{folder}/old.pem": internal_ca()}) == [Blocked(f"{folder}/old.pem", 0, "old.pem", (SHA256,))]


def test_certificates_that_p11_kit_marks_as_distrusted() -> None:
    path = "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit"
    other = pki.pem(pki.certificate("Other"))
    text = (
        b"[p11-kit-object-v1]\ntrusted: true\n" + other + b"[p11-kit-object-v1]\nx-distrusted: true\n" + internal_ca()
    )
    assert blocked({path: text}) == [Blocked(path, 0, "ca-bundle.trust.p11-kit", (SHA256,))]
    assert blocked({path: b"[p11-kit-object-v1]\ntrusted: true\n" + other}) == []


def test_lists_that_cannot_be_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found = blocked(
        {
            LIST: Broken(),
            "/etc/pki/ca-trust/source/blocklist/a": Broken(),
            "/etc/pki/ca-trust/source/a.p11-kit": Broken(),
        }
    )
    assert [isinstance(entry, UnreadFile) for entry in found] == [True, True, True]
    monkeypatch.setattr(ca_beside, "MAX_LINES", 1)
    (unread,) = blocked({LIST: "a\nb\nc\n"})
    assert isinstance(unread, UnreadFile)
    (unread,) = blocked({LIST: "!a", "/usr/share/ca-certificates/a": Broken()})
    assert unread.path == "/usr/share/ca-certificates/a"
