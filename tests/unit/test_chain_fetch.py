"""Chains fetched from real TLS servers on the loopback interface, good and odd."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from diskimage_validator.chain_fetch import FetchError, fetch_chain
from diskimage_validator.cli import run
from diskimage_validator.endpoints import Address
from diskimage_validator.policy_files import read_chain
from tests.support.chains import Made, authority, server

ROOT = authority("Root", cert_sign=True)
ISSUING = authority("Issuing CA", ROOT, cert_sign=True)
LEAF = server(ISSUING, "registry.internal", "127.0.0.1")


@contextlib.contextmanager
def listening(serve: "Serve") -> Iterator[Address]:
    """Run ``serve`` on each connection to a port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, serve), daemon=True)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


class Serve:
    """Sends ``greeting`` as it is and keeps the connection until the other side ends it."""

    def __init__(self, greeting: bytes = b"") -> None:
        self.greeting = greeting
        self.names: list[str | None] = []
        self.received = b""

    def __call__(self, connection: socket.socket) -> None:
        connection.sendall(self.greeting)
        while data := connection.recv(4096):
            self.received += data


class ServeTls(Serve):
    """A TLS server that presents ``chain``; remembers the name that it was asked for and what it was sent."""

    def __init__(self, folder: Path, chain: list[Made], *, client_certificate: bool = False) -> None:
        super().__init__()
        (folder / "server.pem").write_bytes(chain[0].key_pem + b"".join(made.pem for made in chain))
        (folder / "ca.pem").write_bytes(ROOT.pem)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        if client_certificate:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(folder / "ca.pem")

    def __call__(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as tls:
            while data := tls.recv(4096):
                self.received += data


def _accept(listener: socket.socket, serve: Serve) -> None:
    with contextlib.suppress(OSError):  # the listener is closed
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # the client went away
                serve(connection)


def test_what_a_server_presents_is_returned_in_its_order(tmp_path: Path) -> None:
    serve = ServeTls(tmp_path, [LEAF, ISSUING])
    with listening(serve) as address:
        assert fetch_chain(address) == (LEAF.der, ISSUING.der)
    assert serve.names == [None]
    assert serve.received == b""


def test_the_name_goes_into_the_handshake(tmp_path: Path) -> None:
    serve = ServeTls(tmp_path, [LEAF])
    with listening(serve) as address:
        assert fetch_chain(Address("localhost", address.port)) == (LEAF.der,)
    assert serve.names == ["localhost"]


def test_an_expired_or_foreign_certificate_is_data_like_any_other(tmp_path: Path) -> None:
    own = server(None, "elsewhere.internal")
    with listening(ServeTls(tmp_path, [own])) as address:
        assert fetch_chain(address) == (own.der,)


def test_a_server_that_wants_a_client_certificate_shows_its_own(tmp_path: Path) -> None:
    with listening(ServeTls(tmp_path, [LEAF, ISSUING], client_certificate=True)) as address:
        assert fetch_chain(address) == (LEAF.der, ISSUING.der)


def test_a_server_that_says_nothing_costs_the_time_that_it_was_given() -> None:
    with listening(Serve()) as address, pytest.raises(FetchError, match="did not finish a TLS handshake within 1 s"):
        fetch_chain(address, timeout=1)


@pytest.mark.parametrize("greeting", [b"220 mail.internal ready\r\n", b"-----BEGIN CERTIFICATE-----\n", b"\0" * 65536])
def test_a_server_that_speaks_no_tls_is_told(greeting: bytes) -> None:
    with listening(Serve(greeting)) as address, pytest.raises(FetchError, match="presented no certificate: "):
        fetch_chain(address)


def test_nobody_there_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(FetchError, match="Connection refused"):
        fetch_chain(Address("127.0.0.1", port))


def test_the_command_writes_a_file_that_a_policy_can_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "chain.pem"
    with listening(ServeTls(tmp_path, [LEAF, ISSUING])) as address:
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
