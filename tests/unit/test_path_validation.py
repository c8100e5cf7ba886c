"""Verdicts on chains, each held against what OpenSSL says of the same chain at the same moment."""

import subprocess
from pathlib import Path

import pytest

from diskimage_validator.endpoints import parse_address
from diskimage_validator.path_faults import Client
from diskimage_validator.path_validation import Verdict, validate_path
from tests.support.chain_cases import HOST, Case, cases
from tests.support.chains import authority, server, signed_with_sha1
from tests.support.pki import NOW


def run(case: Case, client: Client = Client.OPENSSL) -> Verdict:
    chain, trusted = [made.cert for made in case.chain], [made.cert for made in case.trusted]
    return validate_path(parse_address(case.address), chain, trusted, NOW, client)


def openssl_accepts(case: Case, folder: Path, *options: str) -> bool:
    """Ask ``openssl verify`` as a TLS client of Debian would judge: security level 2, a server's purpose."""
    address = parse_address(case.address)
    for name, content in (
        ("bundle", case.trusted),
        ("chain", case.chain[1:]),
        ("leaf", case.chain[:1]),
    ):
        (folder / name).write_bytes(b"".join(made.pem for made in content))
    command = ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", "bundle", "-purpose", "sslserver"]
    command += ["-auth_level", "2", "-attime", str(int(NOW.timestamp())), *options]
    command += ["-untrusted", "chain"] if len(case.chain) > 1 else []
    command += ["-verify_ip" if address.ip else "-verify_hostname", address.name, "leaf"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_the_verdict_and_its_reason(case: Case) -> None:
    verdict = run(case)
    assert verdict.trusted == (not case.fault), verdict
    if case.fault == "?":
        assert verdict.unknown
        assert not verdict.faults
    elif case.fault:
        assert case.fault in verdict.faults[0].message
        assert all(fault.hint for fault in verdict.faults)
        assert not verdict.unknown


@pytest.mark.parametrize("case", [case for case in cases() if case.trusted], ids=lambda case: case.id)
def test_openssl_says_the_same(case: Case, tmp_path: Path) -> None:
    assert openssl_accepts(case, tmp_path) == (run(case).trusted != bool(case.differs))


def test_go_takes_any_certificate_of_the_store_for_an_anchor_and_any_wildcard() -> None:
    found = {case.id: run(case, Client.GO).trusted for case in cases()}
    different = {case.id for case in cases() if found[case.id] == bool(case.fault)}
    assert different == {"only the intermediate in the bundle", "wildcard for a top-level domain"}


def test_what_a_stricter_profile_refuses_is_told() -> None:
    root = authority("Plain Root", identifiers=False)
    verdict = run(Case("", [server(root, HOST, identifiers=False)], [root]))
    assert verdict.trusted
    assert "authorityKeyIdentifier: Certificate is missing required extension" in verdict.strict
    sound = authority("Root", cert_sign=True)
    assert run(Case("", [server(sound, HOST)], [sound])).strict == ""


def test_two_presented_cas_of_one_name_are_told() -> None:
    crossed = next(case for case in cases() if case.id == "cross-signed, both ways")
    assert run(crossed).ambiguous == "CN=Issuing CA"
    assert run(next(iter(cases()))).ambiguous == ""


def test_a_sha1_signature_is_weak(tmp_path: Path) -> None:
    root = authority("SHA-1 Root", kind="rsa2048")
    case = Case("", [signed_with_sha1(server(root, HOST), root)], [root])
    verdict = run(case)
    assert not verdict.trusted
    assert verdict.faults[0].message == "the signature of CN=registry.internal is too weak: SHA1"
    assert not openssl_accepts(case, tmp_path)


def test_endless_namesakes_end() -> None:
    """Sixty CAs of one name and one key that all signed each other: more paths than anybody has time for."""
    first = authority("Loop", key_name="Loop")
    loop = [authority("Loop", first, key_name="Loop") for _ in range(60)]
    verdict = run(Case("", [server(loop[0], HOST), *loop], [authority("Root")]))
    assert not verdict.trusted
