import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator import der
from diskimage_validator.facts import java_keystore
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.java_keystore import parse_jks, parse_keystore
from tests.support import chains, pki
from tests.support.stores import make_jks, make_pkcs12

CA, OTHER = pki.certificate("Internal CA"), pki.certificate("Other")
DERS = [pki.der(CA), pki.der(OTHER)]


def ders(data: bytes) -> list[bytes]:
    return [found for _, found in parse_keystore(data).certificates]


@pytest.mark.parametrize("version", [1, 2])
def test_trusted_certificates_of_jks(version: int) -> None:
    assert ders(make_jks(DERS, version=version)) == DERS


def test_private_keys_are_named_and_their_chains_are_not_trusted() -> None:
    content = parse_keystore(make_jks(DERS, keys=1))
    assert [found for _, found in content.certificates] == DERS
    assert content.keys == [(0, "private key, entry 1 of a Java keystore")]


@pytest.mark.parametrize("password", [b"changeit", None])
def test_pkcs12_with_the_usual_password_and_with_none(password: bytes | None) -> None:
    assert ders(make_pkcs12([CA, OTHER], password)) == DERS


def test_a_private_key_in_pkcs12_is_named() -> None:
    made = chains.authority("Internal CA")
    data = pkcs12.serialize_key_and_certificates(None, made.key, made.cert, None, BestAvailableEncryption(b"changeit"))
    assert parse_keystore(data).keys == [(0, "private key in a PKCS #12 file")]


def test_another_password_is_no_empty_store() -> None:
    with pytest.raises(FactError, match="usual passwords"):
        parse_keystore(make_pkcs12([CA], b"secret"))


def test_a_jks_that_is_cut_off_keeps_what_was_read() -> None:
    content = parse_jks(make_jks(DERS)[:-100])
    assert [found for _, found in content.certificates] == DERS[:1]
    assert content.unparsed[0].reason == "the keystore is cut off"


def test_an_entry_without_a_length_ends_the_list() -> None:
    data = bytearray(make_jks(DERS))
    data[15] = 3
    assert "kind 3, which cannot be read" in parse_jks(bytes(data)).unparsed[0].reason


def test_the_number_of_entries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_keystore, "MAX_CERTIFICATES", 1)
    assert "more than 1 entries" in parse_jks(make_jks(DERS)).unparsed[0].reason


@pytest.mark.parametrize("data", [b"", b"text", b"\xfe\xed\xfe\xed" + bytes(4), b"\x30\x03\x02\x01\x03"])
def test_other_files_are_no_keystore(data: bytes) -> None:
    with pytest.raises(FactError):
        parse_keystore(data)


def test_a_jks_of_an_unknown_version_is_refused() -> None:
    with pytest.raises(FactError, match="version 9"):
        parse_jks(make_jks(DERS, version=9))


def pbe(rounds: int) -> bytes:
    salt = der.encode(der.OCTET_STRING, b"saltsalt") + der.encode(der.INTEGER, rounds.to_bytes(5, "big"))
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, salt))


def test_a_store_that_would_take_for_ever_to_open_is_not_opened() -> None:
    with pytest.raises(FactError, match="rounds of key derivation"):
        parse_keystore(pbe(2**31))
    with pytest.raises(FactError, match="rounds of key derivation"):
        parse_keystore(der.encode(der.OCTET_STRING, pbe(2**20) * 10))


def test_a_store_that_is_nested_too_deeply_is_refused() -> None:
    data = b"\x05\x00"
    for _ in range(100):
        data = der.encode(der.SEQUENCE, data)
    with pytest.raises(FactError, match="nested too deeply"):
        parse_keystore(data)


def test_a_store_of_too_many_elements_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_keystore, "MAX_ELEMENTS", 100)
    with pytest.raises(FactError, match="more than 100 elements"):
        parse_keystore(b"\x05\x00" * 101)


@pytest.mark.parametrize("kind", ["JKS", "PKCS12"])
def test_stores_that_keytool_wrote(kind: str, tmp_path: Path) -> None:
    if not shutil.which("keytool"):
        pytest.skip("no keytool on this host")
    (tmp_path / "ca.pem").write_bytes(pki.pem(CA))
    command = ["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file", str(tmp_path / "ca.pem"), "-keystore"]
    command += [str(tmp_path / "store"), "-storetype", kind, "-storepass", "changeit"]
    subprocess.run(command, check=True, capture_output=True)
    assert ders((tmp_path / "store").read_bytes()) == [pki.der(CA)]


@given(st.binary(max_size=200), st.integers(0, 400), st.booleans())
def test_no_bytes_raise_anything_but_a_fact_error(noise: bytes, at: int, sound_start: bool) -> None:
    sound = make_jks(DERS) if sound_start else make_pkcs12([CA], None)
    for data in (noise, sound[:at] + noise + sound[at + len(noise) :]):
        try:
            parse_keystore(data)
        except FactError:
            continue
