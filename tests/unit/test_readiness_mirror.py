"""Mirrors that drip, stall, end early or lead astray: one line that says so, in bounded time."""

import socket
import time
from pathlib import Path

import pytest

from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import EngineError
from diskimage_validator.readiness.probes import mirror
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.mirror import DOWNLOAD_FACTOR, opened
from tests.support import chains
from tests.support.talking_server import AGAIN, HEAR, SLOWLY, TLS, talking
from tests.support.tls_server import Serve, listening

ROOT = chains.authority("Root", cert_sign=True)
LEAF = chains.server(ROOT, "127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\n"
TIMEOUT = 0.5


def means(folder: Path) -> Means:
    return Means(TIMEOUT, (), folder, (ROOT.der,), SshOptions())


def fetched(folder: Path, *words: bytes) -> bytes:
    """Return what is read of a mirror that says ``words`` to every request: over TLS, if that is the first of them."""
    scheme = "https" if TLS in words else "http"
    server = talking(folder, LEAF.key_pem, [LEAF.pem], *words)
    with server as (address, _), opened(f"{scheme}://{address}/Packages", means(folder)) as file:
        return file.read()


def said(folder: Path, *words: bytes) -> str:
    with pytest.raises(EngineError) as caught:
        fetched(folder, *words)
    return caught.value.message.partition(": ")[2]


@pytest.mark.parametrize("start", [(TLS, HEAR), (HEAR,)])
def test_headers_that_drip_end_in_the_time_of_any_answer(start: tuple[bytes, ...], tmp_path: Path) -> None:
    started = time.monotonic()
    assert said(tmp_path, *start, OK + b"X-Slow: ", b"x", SLOWLY) == "silent, no whole answer within 0.5 s"
    assert time.monotonic() - started < DOWNLOAD_FACTOR * TIMEOUT


@pytest.mark.parametrize("start", [(TLS, HEAR), (HEAR,)])
def test_a_body_that_drips_ends_in_the_time_of_a_download(start: tuple[bytes, ...], tmp_path: Path) -> None:
    started = time.monotonic()
    assert said(tmp_path, *start, OK + b"\r\n", b"x", SLOWLY) == "not complete after 3 s"
    assert DOWNLOAD_FACTOR * TIMEOUT <= time.monotonic() - started < 3 * DOWNLOAD_FACTOR * TIMEOUT


def test_a_body_that_stalls_ends_in_the_time_of_any_answer(tmp_path: Path) -> None:
    assert said(tmp_path, HEAR, OK + b"\r\nx") == "silent, no whole answer within 0.5 s"


class Paced(Serve):
    """Says ``parts`` to a request, with pauses shorter than the time limit, and closes the connection."""

    def __init__(self, *parts: bytes) -> None:
        super().__init__()
        self.parts = parts

    def __call__(self, connection: socket.socket) -> None:
        self.received += connection.recv(4096)
        for part in self.parts:
            connection.sendall(part)
            time.sleep(TIMEOUT / 5)


def test_a_body_that_comes_slowly_is_waited_for(tmp_path: Path) -> None:
    """It takes longer than any other answer may."""
    with listening(Paced(OK + b"Content-Length: 8\r\n\r\n", *(b"%c" % letter for letter in b"abcdefgh"))) as address:
        started = time.monotonic()
        with opened(f"http://{address}/Packages", means(tmp_path)) as file:
            assert file.read() == b"abcdefgh"
        assert time.monotonic() - started > TIMEOUT


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"Content-Length: 6\r\n\r\nabc", "the answer ends too early"),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "the answer ends too early"),
        (b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc", "the answer ends too early"),
    ],
)
def test_a_body_that_ends_early_is_no_index(head: bytes, message: str, tmp_path: Path) -> None:
    with (
        listening(Paced(OK + head)) as address,
        pytest.raises(EngineError, match=message),
        opened(f"http://{address}/Packages", means(tmp_path)),
    ):
        pass


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"302 Found\r\nLocation: /again", "redirects more than 10 times"),
        (b"302 Found\r\nLocation: http://192.0.2.1/x", "redirects to http://192.0.2.1/x"),
        (b"302 Found\r\nLocation: //192.0.2.1/x", "redirects to http://192.0.2.1/x"),
        (b"302 Found\r\nLocation: //[", "redirects to //["),
        (b"302 Found", "HTTP status 302"),
        (b"503 Busy", "HTTP status 503"),
    ],
)
def test_other_answers(answer: bytes, message: str, tmp_path: Path) -> None:
    assert said(tmp_path, HEAR, b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n").endswith(message)


def test_an_index_that_is_larger_than_any_is_not_read_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MAX_DOWNLOAD", 1024 * 1024)
    assert said(tmp_path, HEAR, OK + b"\r\n", b"x" * 1024 * 1024, AGAIN) == "more than 1 MiB"
