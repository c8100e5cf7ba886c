import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.private_keys import MAX_KEYS, PrivateKey, find_private_keys
from tests.support import pki

EC = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(65537, 2048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
DSA = dsa.generate_private_key(2048)
PLAIN, SECRET = NoEncryption(), BestAvailableEncryption(b"secret")


def only(data: bytes) -> PrivateKey:
    (found,) = find_private_keys(data)
    return found


@pytest.mark.parametrize(
    ("data", "form", "encrypted"),
    [
        (EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN), "PKCS#8", False),
        (EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, SECRET), "PKCS#8", True),
        (ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, PLAIN), "PKCS#8", False),
        (RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN), "PEM (RSA)", False),
        (RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, SECRET), "PEM (RSA)", True),
        (EC.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN), "PEM (EC)", False),
        (DSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, PLAIN), "PEM (DSA)", False),
        (ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, PLAIN), "OpenSSH", False),
        (ED25519.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, SECRET), "OpenSSH", True),
        (EC.private_bytes(Encoding.DER, PrivateFormat.PKCS8, PLAIN), "DER", False),
        (RSA.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, PLAIN), "DER", False),
        (EC.private_bytes(Encoding.DER, PrivateFormat.PKCS8, SECRET), "DER", True),
    ],
)
def test_every_form_is_recognised(data: bytes, form: str, encrypted: bool) -> None:
    found = only(data)
    assert (found.form, found.encrypted) == (form, encrypted)


BODY = base64.b64encode(b"x" * 96).decode()
PGP = f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{BODY}\n-----END PGP PRIVATE KEY BLOCK-----\n"
SSH_COM = (
    f'---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nComment: "x"\n{BODY}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----\n'
)
PUTTY = f"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: {{}}\nComment: x\nPublic-Lines: 2\n{BODY}\n"


@pytest.mark.parametrize(
    ("text", "form", "encrypted"),
    [
        (PGP, "OpenPGP", None),
        (SSH_COM, "ssh.com", None),
        (PUTTY.format("none"), "PuTTY", False),
        (PUTTY.format("aes256-cbc"), "PuTTY", True),
        ("(21:protected-private-key(3:rsa(1:n257:", "GnuPG", True),
        ("(11:private-key(3:rsa(1:n257:", "GnuPG", False),
        ("Created: 20260101T000000\nKey: (protected-private-key (ecc (curve Ed25519)", "GnuPG", True),
        ("Key: (private-key (ecc (curve Ed25519)", "GnuPG", False),
    ],
)
def test_forms_that_no_library_here_writes(text: str, form: str, encrypted: bool | None) -> None:
    found = only(text.encode())
    assert (found.form, found.encrypted) == (form, encrypted)


def test_a_key_behind_a_certificate_and_in_a_yaml_file_is_found_with_its_line() -> None:
    certificate = pki.pem(pki.certificate("x"))
    key = pki.private_key("x")
    assert only(certificate + key).line == certificate.count(b"\n") + 1
    indented = b"key: |\n" + b"".join(b"  " + line + b"\n" for line in key.splitlines())
    assert only(indented).line == 2


def test_windows_line_ends_do_not_hide_a_key() -> None:
    assert only(pki.private_key("x").replace(b"\n", b"\r\n")).encrypted is False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"grep -q 'BEGIN RSA PRIVATE KEY' file",
        b"-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\n" + BODY.encode(),
        b"\x30\x82\x01\x00",
        pki.der(pki.certificate("x")),
        b"notes about (private-key in prose",
    ],
)
def test_what_is_no_key(data: bytes) -> None:
    assert find_private_keys(data) == ()


def test_an_openssh_key_with_a_damaged_body_is_a_key() -> None:
    text = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{'A' * 70}\n-----END OPENSSH PRIVATE KEY-----\n"
    assert only(text.encode()).encrypted is None


def test_the_number_of_keys_is_bounded() -> None:
    assert len(find_private_keys(pki.private_key("x") * (MAX_KEYS + 5))) == MAX_KEYS


@given(st.binary())
def test_no_content_breaks_it(data: bytes) -> None:
    find_private_keys(data)
    find_private_keys(b"\x30\x82" + data)
    find_private_keys(b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + data)
