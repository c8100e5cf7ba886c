import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.authorized_keys import AuthorizedKey, BadKeyLine, parse_authorized_keys
from diskimage_validator.facts.base import FactError
from tests.support import node


def public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def one(line: str) -> AuthorizedKey | BadKeyLine:
    (found,) = parse_authorized_keys(line.encode())
    return found


@pytest.fixture(scope="module")
def keys() -> dict[str, str]:
    return {
        "rsa": public(rsa.generate_private_key(65537, 1024)),
        "ecdsa": public(ec.generate_private_key(ec.SECP384R1())),
        "ed25519": public(ed25519.Ed25519PrivateKey.generate()),
    }


@pytest.mark.parametrize(("name", "bits"), [("rsa", 1024), ("ecdsa", 384), ("ed25519", 0)])
def test_type_size_and_fingerprint_are_those_of_ssh_keygen(
    keys: dict[str, str], name: str, bits: int, tmp_path: Path
) -> None:
    found = one(f"{keys[name]} me@here and there")
    assert isinstance(found, AuthorizedKey)
    assert (found.bits, found.comment) == (bits, "me@here and there")
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    (tmp_path / "key").write_text(keys[name])
    said = subprocess.run(["ssh-keygen", "-lf", str(tmp_path / "key")], check=True, capture_output=True, text=True)
    assert found.fingerprint == said.stdout.split()[1]


def test_dsa() -> None:
    numbers = dsa.generate_private_key(1024).parameters().parameter_numbers()
    fields = [b"ssh-dss", b"\0" + numbers.p.to_bytes(128, "big"), b"q", b"g", b"y"]
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    found = one(f"ssh-dss {base64.b64encode(blob).decode()}")
    assert isinstance(found, AuthorizedKey)
    assert (found.type, found.bits) == ("ssh-dss", 1024)


def test_options_are_kept_by_name_only() -> None:
    found = one(f'from="10.0.0.0/8",no-PTY,command="echo \\"a, b\\" secret" {node.KEY}')
    assert isinstance(found, AuthorizedKey)
    assert found.options == ("from", "no-pty", "command")
    assert found.fingerprint == node.FINGERPRINT


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "ssh-rsa",
        "ssh-rsa !!!!",
        f"ssh-rsa {node.KEY.split()[1]}",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5/////w==",
        f'command="open {node.KEY}',
    ],
)
def test_lines_that_sshd_passes_over(line: str) -> None:
    assert isinstance(one(line), BadKeyLine)


def test_comments_and_empty_lines() -> None:
    assert list(parse_authorized_keys(b"# comment\n\n   \n")) == []


def test_lines_are_bounded() -> None:
    with pytest.raises(FactError, match="more than"):
        list(parse_authorized_keys(b"\n" * 20_000))


@given(st.binary())
def test_any_file_is_read(data: bytes) -> None:
    list(parse_authorized_keys(data))
    list(parse_authorized_keys(b"ssh-rsa " + base64.b64encode(data)))
