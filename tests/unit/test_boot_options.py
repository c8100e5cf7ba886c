import socket
import subprocess
import sys
import threading

import pytest

from diskimage_validator.engines.boot.options import Served, parse_served
from diskimage_validator.engines.boot.qemu import RELAY
from diskimage_validator.errors import UsageError


@pytest.mark.parametrize(
    ("text", "served"),
    [
        ("registry.internal:5000=127.0.0.1:4711", Served("registry.internal", 5000, "127.0.0.1", 4711)),
        ("registry:443=registry.example.org:443", Served("registry", 443, "registry.example.org", 443)),
        ("registry.internal:5000=[::1]:4711", Served("registry.internal", 5000, "::1", 4711)),
    ],
)
def test_what_is_served(text: str, served: Served) -> None:
    assert parse_served(text) == served


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry.internal:5000",
        "registry.internal=127.0.0.1:1",
        "registry.internal:0=127.0.0.1:1",
        "registry.internal:65536=127.0.0.1:1",
        "registry.internal:5000=127.0.0.1",
        "registry.internal:5000=:1",
        "Registry:5000=127.0.0.1:1",
        "-x:5000=127.0.0.1:1",
        "a b:5000=127.0.0.1:1",
        "$(x):5000=127.0.0.1:1",
        "x:5000=127.0.0.1:²",
    ],
)
def test_what_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no NAME:PORT=HOST:PORT"):
        parse_served(text)


def relayed(port: int) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Return the guest's end of a relay to ``port``, started as QEMU starts it."""
    ours, theirs = socket.socketpair()
    with theirs:
        command = [sys.executable, "-I", "-S", str(RELAY), "127.0.0.1", str(port)]
        process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.PIPE)
    ours.settimeout(20)
    return ours, process


def test_the_relay_carries_both_ways_until_both_have_ended() -> None:
    data = bytes(range(256)) * 4096
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                received = b"".join(iter(lambda: connection.recv(65536), b""))
                connection.sendall(received[::-1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        guest, process = relayed(server.getsockname()[1])
        with guest, process:
            guest.sendall(data)
            guest.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: guest.recv(65536), b"")) == data[::-1]
            assert process.wait(20) == 0
            assert process.stderr is not None
            assert process.stderr.read() == b""
        thread.join(20)


def test_the_relay_ends_with_the_guest_and_when_there_is_no_service() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        guest, process = relayed(server.getsockname()[1])
        connection, _ = server.accept()
        guest.close()
        connection.close()
        with process:
            assert process.wait(20) == 0
        port = server.getsockname()[1]
    guest, process = relayed(port)
    with guest, process:
        assert guest.recv(1) == b""
        assert process.wait(20) == 0
