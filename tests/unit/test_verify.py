"""An image without valid evidence is refused, with every reason; what no trusted key signed is not believed."""

import base64
import datetime
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.attestation.demands import Demands, judge
from diskimage_validator.cli import run
from diskimage_validator.durations import parse_duration
from diskimage_validator.errors import RefusedError
from diskimage_validator.model import Report
from diskimage_validator.policy import load_policy
from tests.support.memory_engine import Entry
from tests.support.reports import broken, sound, waived
from tests.unit.test_attest import KEY, pem, saved

OTHER = ec.generate_private_key(ec.SECP256R1())


class Factory:
    """An image, keys, and a statement about it, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.image = folder / "node.raw"
        self.image.write_bytes(b"image")
        self.sha256 = hashlib.sha256(b"image").hexdigest()
        self.statement = folder / "statement.json"
        self.public = self._public("public.pem", KEY)
        self.other = self._public("other.pem", OTHER)

    def _public(self, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
        path = self.folder / name
        path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        return path

    def attest(self, report: Report, *, key: ec.EllipticCurvePrivateKey | None = KEY, started: str = "") -> None:
        now = datetime.datetime.now(datetime.UTC).isoformat()
        report = replace(report, target=replace(report.target, sha256=self.sha256), started=started or now)
        options = ["--output", str(self.statement)]
        if key is not None:
            private = self.folder / "private.pem"
            private.write_bytes(pem(key))
            options += ["--key", str(private)]
        assert run(["attest", saved(self.folder, report), *options]) == 0

    def verify(self, *options: str, key: bool = True) -> int:
        trusted = ["--key", str(self.public)] if key else []
        return run(["verify", str(self.image), "--statement", str(self.statement), *trusted, *options])

    def damage(self, change: Callable[[dict[str, Any]], None], *, signed: bool = False) -> None:
        """Change the envelope, or the statement in it without signing it again."""
        envelope = json.loads(self.statement.read_text())
        if signed:
            payload = json.loads(base64.b64decode(envelope["payload"]))
            change(payload)
            envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
        else:
            change(envelope)
        self.statement.write_text(json.dumps(envelope))


@pytest.fixture
def factory(tmp_path: Path, tree: dict[str, Entry]) -> Factory:
    made = Factory(tmp_path)
    made.attest(sound(tree))
    return made


def test_a_valid_statement_says_what_was_validated(factory: Factory, capsys: pytest.CaptureFixture[str]) -> None:
    assert factory.verify("--max-age", "1 h", "--policy-digest", "D" * 64) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"PASSED: memory.qcow2, sha256 {factory.sha256}"
    assert lines[1] == f"policy: test, sha256 {'d' * 64}"
    assert lines[3] != "signed by: nobody"


def test_an_image_that_is_not_here_is_asked_about_by_its_sha256(factory: Factory) -> None:
    command = ["verify", "--statement", str(factory.statement), "--key", str(factory.public), "--sha256"]
    assert run([*command, factory.sha256]) == 0
    assert run([*command, "ab" * 32]) == 1
    assert run([*command, "ab"]) == 2


def test_one_of_several_trusted_keys_is_enough(factory: Factory) -> None:
    assert factory.verify("--key", str(factory.other)) == 0
    assert factory.verify("--key", str(factory.other), key=False) == 1


def test_a_warned_image_is_valid(factory: Factory, tree: dict[str, Entry]) -> None:
    factory.attest(waived(tree))
    assert factory.verify() == 0


def test_other_bytes_are_refused(factory: Factory, capsys: pytest.CaptureFixture[str]) -> None:
    factory.image.write_bytes(b"Image")
    assert factory.verify() == 1
    assert f"the statement is about memory.qcow2 with {factory.sha256}" in capsys.readouterr().err


def test_a_failed_image_is_refused_and_the_checks_are_named(
    factory: Factory, tree: dict[str, Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    factory.attest(broken(tree))
    assert factory.verify() == 1
    assert "refused: the image failed: packages-required" in capsys.readouterr().err


def test_all_reasons_are_told_at_once(
    factory: Factory, tree: dict[str, Entry], capsys: pytest.CaptureFixture[str]
) -> None:
    factory.attest(broken(tree), started="2026-01-01T00:00:00+00:00")
    factory.image.write_bytes(b"Image")
    assert factory.verify("--max-age", "7d", "--policy-digest", "e" * 64) == 1
    assert len([line for line in capsys.readouterr().err.splitlines() if "refused: " in line]) == 4


def test_the_policy_that_is_demanded_can_be_named(factory: Factory, tree: dict[str, Entry]) -> None:
    assert factory.verify("--policy", "minimal") == 1
    factory.attest(replace(sound(tree), policy_digest=load_policy("minimal").digest))
    assert factory.verify("--policy", "minimal") == 0


@pytest.mark.parametrize(("ago", "status"), [("-4 min", 0), ("-6 min", 1), ("6 d", 0), ("8 d", 1)])
def test_the_age_counts_from_the_validation(factory: Factory, tree: dict[str, Entry], ago: str, status: int) -> None:
    age = -parse_duration(ago[1:]) if ago.startswith("-") else parse_duration(ago)
    factory.attest(sound(tree), started=(datetime.datetime.now(datetime.UTC) - age).isoformat())
    assert factory.verify("--max-age", "7 d") == status


def test_a_statement_without_a_signature_has_to_be_asked_for(factory: Factory, tree: dict[str, Entry]) -> None:
    factory.attest(sound(tree), key=None)
    assert factory.verify() == 1
    assert factory.verify(key=False) == 2
    assert factory.verify("--unsigned", key=False) == 0
    assert factory.verify("--unsigned") == 2


def test_a_signed_statement_is_no_bare_one(factory: Factory) -> None:
    assert factory.verify("--unsigned", key=False) == 1


def test_what_was_changed_after_signing_is_refused(factory: Factory, tree: dict[str, Entry]) -> None:
    factory.attest(broken(tree))
    factory.damage(lambda payload: payload["predicate"].update(result="PASSED"), signed=True)
    assert factory.verify() == 1


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no signature": lambda envelope: envelope.update(signatures=[]),
    "signature of nothing": lambda envelope: envelope["signatures"][0].update(sig=""),
    "no base64": lambda envelope: envelope["signatures"][0].update(sig="%"),
    "another type": lambda envelope: envelope.update(payloadType="application/json"),
    "no payload": lambda envelope: envelope.pop("payload"),
    "too many signatures": lambda envelope: envelope.update(signatures=envelope["signatures"] * 40),
    "payload of another": lambda envelope: envelope.update(payload=base64.b64encode(b"{}").decode()),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_damaged_envelope_is_refused(
    factory: Factory, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], None]
) -> None:
    factory.damage(change)
    assert factory.verify() == 1
    assert capsys.readouterr().err.startswith("error: refused: the statement is not valid: ")


def test_the_hint_of_the_key_is_not_believed_and_not_needed(factory: Factory) -> None:
    def others_first(envelope: dict[str, Any]) -> None:
        (signature,) = envelope["signatures"]
        envelope["signatures"] = [{"sig": "AAAA", "keyid": signature["keyid"]}, {"sig": signature["sig"]}]

    factory.damage(others_first)
    assert factory.verify() == 0


def test_the_url_safe_alphabet_is_read(factory: Factory) -> None:
    def translate(envelope: dict[str, Any]) -> None:
        envelope["payload"] = envelope["payload"].replace("+", "-").replace("/", "_")
        (signature,) = envelope["signatures"]
        signature["sig"] = signature["sig"].replace("+", "-").replace("/", "_")

    factory.damage(translate)
    assert factory.verify() == 0


STATEMENTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another predicate": lambda s: s.update(predicateType="https://in-toto.io/attestation/svr/v0.1"),
    "another type": lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"),
    "no subject": lambda s: s.update(subject=[]),
    "two subjects": lambda s: s.update(subject=s["subject"] * 2),
    "no digest": lambda s: s["subject"][0].update(digest={"sha512": "a" * 128}),
    "no time": lambda s: s["predicate"]["diskimageValidator"].pop("started"),
    "a time without a zone": lambda s: s["predicate"]["diskimageValidator"].update(started="2026-01-01T00:00:00"),
    "no policy": lambda s: s["predicate"].update(configuration=[]),
    "another result": lambda s: s["predicate"].update(result="OK"),
}


@pytest.mark.parametrize("change", STATEMENTS.values(), ids=STATEMENTS)
def test_what_is_no_statement_of_ours_is_refused(
    factory: Factory, tree: dict[str, Entry], change: Callable[[dict[str, Any]], None]
) -> None:
    factory.attest(sound(tree), key=None)
    factory.damage(change)
    assert factory.verify("--unsigned", key=False) == 1


def test_fields_that_are_not_known_are_ignored(factory: Factory, tree: dict[str, Entry]) -> None:
    factory.attest(sound(tree), key=None)
    factory.damage(lambda statement: statement["predicate"].update(url="https://zuul.internal/build/1"))
    assert factory.verify("--unsigned", key=False) == 0


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_pass_as_a_statement(data: bytes) -> None:
    now = datetime.datetime.now(datetime.UTC)
    with pytest.raises(RefusedError):
        judge(data, "a" * 64, Demands([]), now)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--max-age", "soon"], "'soon' is no length of time"),
        (["--policy-digest", "abc"], "'abc' is no sha256"),
        (["--policy", "minimal", "--policy-digest", "a" * 64], "either with --policy or"),
        (["--ca", "ca.pem"], "--ca belongs to --policy"),
        (["--key", "private.pem"], "is a private key"),
        (["--key", "statement.json"], "is no public key"),
        (["--key", "env://NOT_THERE"], "the variable NOT_THERE is not set"),
        (["--sha256", "a" * 64], "either an IMAGE or --sha256"),
    ],
)
def test_wrong_usage_is_no_refusal(
    factory: Factory,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    reason: str,
) -> None:
    monkeypatch.chdir(factory.folder)
    assert factory.verify(*options) == 2
    assert reason in capsys.readouterr().err


def test_an_image_that_cannot_be_read_is_no_refusal(factory: Factory, capsys: pytest.CaptureFixture[str]) -> None:
    factory.image.unlink()
    assert factory.verify() == 3
    assert "No such file" in capsys.readouterr().err
    os.mkfifo(factory.image)
    assert factory.verify() == 3
    assert "is no image file" in capsys.readouterr().err
