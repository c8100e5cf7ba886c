"""Chains fetched from real TLS servers on the loopback interface, good and odd."""

import socket
from pathlib import Path

import pytest
from cryptography import x509

from diskimage_validator.chain_fetch import FetchError, fetch_chain
from diskimage_validator.cli import run
from diskimage_validator.endpoints import Address
from diskimage_validator.policy_files import read_chain
from tests.support.chains import Made, authority, server
from tests.support.tls_server import Serve, ServeTls, listening

ROOT = authority("Root", cert_sign=True)
ISSUING = authority("Issuing CA", ROOT, cert_sign=True)
LEAF = server(ISSUING, "registry.internal", "127.0.0.1")


def serving(folder: Path, *chain: Made, clients: bytes = b"") -> ServeTls:
    return ServeTls(folder, chain[0].key_pem, [made.pem for made in chain], clients=clients)


def test_what_a_server_presents_is_returned_in_its_order(tmp_path: Path) -> None:
    serve = serving(tmp_path, LEAF, ISSUING)
    with listening(serve) as address:
        assert fetch_chain(address) == (LEAF.der, ISSUING.der)
    assert serve.names == [None]
    assert serve.received == b""


def test_the_name_goes_into_the_handshake(tmp_path: Path) -> None:
    serve = serving(tmp_path, LEAF)
    with listening(serve) as address:
        assert fetch_chain(Address("localhost", address.port)) == (LEAF.der,)
    assert serve.names == ["localhost"]


def test_an_expired_or_foreign_certificate_is_data_like_any_other(tmp_path: Path) -> None:
    own = server(None, "elsewhere.internal")
    with listening(serving(tmp_path, own)) as address:
        assert fetch_chain(address) == (own.der,)


def test_a_server_that_wants_a_client_certificate_shows_its_own(tmp_path: Path) -> None:
    with listening(serving(tmp_path, LEAF, ISSUING, clients=ROOT.pem)) as address:
        assert fetch_chain(address) == (LEAF.der, ISSUING.der)


def test_a_server_that_says_nothing_costs_the_time_that_it_was_given() -> None:
    with listening(Serve()) as address, pytest.raises(FetchError, match="did not finish a TLS handshake within 1 s"):
        fetch_chain(address, timeout=1)


@pytest.mark.parametrize("greeting", [b"220 mail.internal ready\r\n", b"-----BEGIN CERTIFICATE-----\n", b"\0" * 65536])
def test_a_server_that_speaks_no_tls_is_told(greeting: bytes) -> None:
    with listening(Serve(greeting)) as address, pytest.raises(FetchError, match="presented no certificate: "):
        fetch_chain(address)


class Flood(ServeTls):
    """Sends data without end once the handshake is done."""

    def __call__(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as tls:
            while True:
                tls.sendall(b"x" * 65536)


def test_a_server_that_floods_its_clients_changes_nothing(tmp_path: Path) -> None:
    with listening(Flood(tmp_path, LEAF.key_pem, [LEAF.pem])) as address:
        assert fetch_chain(address) == (LEAF.der,)


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchError, match="Connection refused"):
        fetch_chain(Address("127.0.0.1", port))


def test_the_command_writes_a_file_that_a_policy_can_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "chain.pem"
    with listening(serving(tmp_path, LEAF, ISSUING)) as address:
        assert run(["fetch-chain", str(address), "--output", str(target)]) == 0
        assert run(["fetch-chain", str(address)]) == 0
    assert read_chain(target) == (LEAF.der, ISSUING.der)
    printed = capsys.readouterr().out
    assert printed == target.read_text()
    assert "# 2 subject: CN=Issuing CA\n# 2 issuer: CN=Root\n# 2 valid: 2025-06-01 to 2027-06-01\n" in printed
    assert x509.load_pem_x509_certificates(printed.encode()) == [LEAF.cert, ISSUING.cert]


def test_the_command_says_why_it_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "chain.pem"
    assert run(["fetch-chain", "127.0.0.1:1", "--output", str(target)]) == 3
    assert "error: 127.0.0.1:1 presented no certificate" in capsys.readouterr().err
    assert not target.exists()
    assert run(["fetch-chain", "https://registry.internal"]) == 2
