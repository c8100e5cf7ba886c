"""Servers on the loopback interface, in a thread: with TLS, and with anything else."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from diskimage_validator.endpoints import Address


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
    """A TLS server that presents ``chain`` (PEM) with the ``key`` of its first certificate.

    It remembers the names that it was asked for and what it was sent. ``clients`` is the CA of the certificates that it
    wants of them, if any.
    """

    def __init__(self, folder: Path, key: bytes, chain: Sequence[bytes], *, clients: bytes = b"") -> None:
        super().__init__()
        (folder / "server.pem").write_bytes(key + b"".join(chain))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")
        self.context.sni_callback = lambda _, name, __: self.names.append(name)
        if clients:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(cadata=clients.decode())

    def __call__(self, connection: socket.socket) -> None:
        with self.context.wrap_socket(connection, server_side=True) as tls:
            while data := tls.recv(4096):
                self.received += data


@contextlib.contextmanager
def listening(serve: Serve) -> Iterator[Address]:
    """Run ``serve`` on each connection to a port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, serve), daemon=True)
        thread.start()
        yield Address("127.0.0.1", listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _accept(listener: socket.socket, serve: Serve) -> None:
    with contextlib.suppress(OSError):  # the listener is closed
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):  # the client went away
                serve(connection)
