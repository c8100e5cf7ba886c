"""A report becomes an in-toto Statement, and a signed one an envelope that others can read, too."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from diskimage_validator.cli import run
from diskimage_validator.model import Report, Severity, TargetInfo
from tests.support.memory_engine import Entry
from tests.support.reports import broken, hostile, sound, unreadable, waived, written

SHA256_OF_IMAGE = "ab" * 32
KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, password: bytes = b"") -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    done: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    return done


def saved(folder: Path, report: Report, threshold: Severity = Severity.WARNING) -> str:
    path = folder / "report.json"
    path.write_text(written(report, "json", threshold))
    return str(path)


def statement(folder: Path, report: Report, *options: str, threshold: Severity = Severity.WARNING) -> dict[str, Any]:
    output = folder / "statement.json"
    assert run(["attest", saved(folder, report, threshold), "--output", str(output), *options]) == 0
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def test_a_report_becomes_a_test_result_about_the_images_bytes(tree: dict[str, Entry], tmp_path: Path) -> None:
    found = statement(tmp_path, sound(tree))
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["subject"] == [{"name": "memory.qcow2", "digest": {"sha256": SHA256_OF_IMAGE}}]
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = found["predicate"]
    assert predicate["result"] == "PASSED"
    assert predicate["configuration"] == [{"name": "test", "digest": {"sha256": "d" * 64}}]
    assert "packages-required" in predicate["passedTests"]
    assert predicate["warnedTests"] == predicate["failedTests"] == []
    assert predicate["diskimageValidator"] | {"started": ""} == {
        "version": "1.2.3",
        "engine": "memory",
        "started": "",
        "threshold": "warning",
    }


def test_checks_are_told_by_the_worst_of_their_results(tree: dict[str, Entry], tmp_path: Path) -> None:
    predicate = statement(tmp_path, broken(tree))["predicate"]
    assert predicate["result"] == "FAILED"
    assert "packages-required" in predicate["failedTests"]
    assert "packages-required" not in predicate["passedTests"]


def test_waived_and_minor_failures_are_warnings_and_skipped_checks_are_not_told(
    tree: dict[str, Entry], tmp_path: Path
) -> None:
    predicate = statement(tmp_path, waived(tree))["predicate"]
    assert predicate["result"] == "WARNED"
    assert predicate["passedTests"] == ["os"]
    assert predicate["warnedTests"] == ["ca-anchors", "disk"]
    assert statement(tmp_path, waived(tree), threshold=Severity.INFO)["predicate"]["failedTests"] == ["disk"]


def test_what_could_not_be_told_is_no_pass(tree: dict[str, Entry], tmp_path: Path) -> None:
    predicate = statement(tmp_path, unreadable(tree))["predicate"]
    assert predicate["result"] == "FAILED"
    assert "packages-required" in predicate["failedTests"]


def test_nothing_checked_is_no_pass(tree: dict[str, Entry], tmp_path: Path) -> None:
    report = replace(sound(tree), results=())
    assert statement(tmp_path, report)["predicate"]["result"] == "FAILED"


def test_the_name_can_be_given(tree: dict[str, Entry], tmp_path: Path) -> None:
    assert statement(tmp_path, sound(tree), "--name", "debian-bookworm")["subject"][0]["name"] == "debian-bookworm"


def test_a_signature_is_over_the_pre_authentication_encoding(tree: dict[str, Entry], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem(KEY))
    envelope = statement(tmp_path, sound(tree), "--key", str(key))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    payload = base64.b64decode(envelope["payload"])
    assert json.loads(payload) == statement(tmp_path, sound(tree))
    signed = b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)
    (signature,) = envelope["signatures"]
    KEY.public_key().verify(base64.b64decode(signature["sig"]), signed, ec.ECDSA(SHA256()))


def test_others_verify_the_envelope_with_their_library(tree: dict[str, Entry], tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(pem(KEY))
    envelope = Envelope.from_dict(statement(tmp_path, sound(tree), "--key", str(key)))
    assert envelope.verify([SSlibKey.from_crypto(KEY.public_key())], 1)
    with pytest.raises(VerificationError):
        envelope.verify([SSlibKey.from_crypto(ec.generate_private_key(ec.SECP256R1()).public_key())], 1)


def test_the_key_comes_from_the_environment_or_standard_input(
    tree: dict[str, Entry], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNING_KEY", pem(KEY).decode())
    (tmp_path / "stdin").write_bytes(pem(KEY))
    ids = set()
    with (tmp_path / "stdin").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        for source in ("env://SIGNING_KEY", "-"):
            (signature,) = statement(tmp_path, sound(tree), "--key", source)["signatures"]
            ids.add(signature["keyid"])
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (b"", "is no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n", "is no private key"),
        (pem(KEY, b"secret"), "the key is encrypted"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "keys of this kind cannot sign here"),
        (pem(rsa.generate_private_key(65537, 1024)), "an RSA key of 1024 bits is too short"),
    ],
)
def test_a_key_that_cannot_sign_is_one_line_without_the_key(
    tree: dict[str, Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str], key: bytes, reason: str
) -> None:
    path, output = tmp_path / "key.pem", tmp_path / "statement.json"
    path.write_bytes(key)
    assert run(["attest", saved(tmp_path, sound(tree)), "--key", str(path), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert reason in error.splitlines()[0]
    assert not any(line and line in error for line in key.decode().splitlines()[1:-1])
    assert not output.exists()


@pytest.mark.parametrize("key", [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)])
def test_other_kinds_of_keys_sign(tree: dict[str, Entry], tmp_path: Path, key: Any) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(key))
    assert len(statement(tmp_path, sound(tree), "--key", str(path))["signatures"]) == 1


def changed(report: Report, *keys: str, value: Any) -> str:
    document = json.loads(written(report, "json"))
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    return json.dumps(document)


def refused_reports(tree: dict[str, Entry]) -> dict[str, str]:
    report = sound(tree)
    folder = replace(report, target=TargetInfo("/mnt/root", "directory"))
    return {
        "is about directory, which has no sha256": written(folder, "json"),
        "contradicts itself": changed(broken(tree), "verdict", "exit_status", value=0),
        "is a report of version 1": changed(report, "schema", value=1),
        "no JSON report: started": changed(report, "started", value="yesterday"),
        "no JSON report: it is not JSON": "{",
        "the key schema is there twice": '{"schema": 2, "schema": 1}',
        "target.sha256": changed(report, "target", "sha256", value="AB" * 32),
    }


def test_what_is_no_report_about_an_image_is_refused(
    tree: dict[str, Entry], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    for reason, text in refused_reports(tree).items():
        path.write_text(text)
        assert run(["attest", str(path)]) == 2
        assert reason in capsys.readouterr().err
    assert run(["attest", str(tmp_path / "nothing.json")]) == 2


def test_a_report_that_lies_does_not_leave_its_string(tree: dict[str, Entry], tmp_path: Path) -> None:
    report = replace(hostile(tree), target=replace(hostile(tree).target, name="</script>\x1b[2J", sha256="ab" * 32))
    path = saved(tmp_path, replace(report, policy_name='"}], "result": "PASSED'))
    output = tmp_path / "statement.json"
    assert run(["attest", path, "--output", str(output)]) == 0
    found = json.loads(output.read_text())
    assert found["predicate"]["result"] == "FAILED"
    assert found["subject"][0]["name"] == "script>\x1b[2J"
