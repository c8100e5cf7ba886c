"""Web servers that flood, and places that are none: one line of trouble, in bounded time, and nothing that is left."""

import time
from pathlib import Path

import pytest

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.readiness.probes.http import MAX_HEAD, Reply, ask_http
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from tests.support.chains import authority, server
from tests.support.talking_server import AGAIN, HEAR, SLOWLY, TLS, talking

ROOT = authority("Root", cert_sign=True)
LEAF = server(ROOT, "127.0.0.1")
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SIZE = 1024
"""Bytes of an answer that are wanted."""
TOO_MUCH = "the connection failed: the server sends more than such an answer can have"


@pytest.fixture
def means(tmp_path: Path) -> Means:
    return Means(5, (), tmp_path, (ROOT.der,), SshOptions())


def answer(means: Means, *words: bytes, whole: bool = True) -> tuple[Reply | BrokenError, Address]:
    """Return what comes of a server that says ``words`` to a request: over TLS, if that is the first of them."""
    scheme = "https" if TLS in words else "http"
    with talking(means.folder, LEAF.key_pem, [LEAF.pem], *words) as (address, _):
        try:
            return ask_http(means, "GET", f"{scheme}://{address}", limit=SIZE, whole=whole, plain=True), address
        except BrokenError as error:
            return error, address


@pytest.mark.parametrize("start", [(TLS, HEAR), (HEAR,)])
@pytest.mark.parametrize(
    "words",
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, AGAIN),
        (CHUNKED, b"1;" + b"x" * 60_000 + b"\r\nx\r\n", AGAIN),
    ],
)
def test_a_flood_that_is_no_body_is_ended(start: tuple[bytes, ...], words: tuple[bytes, ...], means: Means) -> None:
    found, address = answer(means, *start, *words)
    assert isinstance(found, BrokenError)
    assert (found.trouble.kind, found.trouble.text) == ("answer", TOO_MUCH)
    assert str(found) == f"{address}: {TOO_MUCH}"


@pytest.mark.parametrize("start", [(TLS, HEAR), (HEAR,)])
def test_the_beginning_of_an_endless_body(start: tuple[bytes, ...], means: Means) -> None:
    words = (*start, OK + b"\r\n", b"x" * MAX_HEAD, AGAIN)
    found, _ = answer(means, *words, whole=False)
    assert isinstance(found, Reply)
    assert found.body == b"x" * SIZE
    found, _ = answer(means, *words)
    assert isinstance(found, BrokenError)
    assert found.trouble.kind == "answer"
    assert found.trouble.text.startswith("answers with more than ")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://192.0.2.1/", "http://192.0.2.1/: without TLS"),
        ("file:///etc/passwd", "file:///etc/passwd: "),
        ("https://[x", "https://[x: Invalid IPv6 URL"),
        ("https:///", "https:///: "),
        ("https://a\x1b:0/", "https://a\\x1b:0/: "),
    ],
)
def test_places_that_another_server_names(url: str, said: str, means: Means) -> None:
    with pytest.raises(BrokenError) as caught:
        ask_http(means, "GET", url)
    assert str(caught.value).startswith(said)
    assert str(caught.value).isprintable()


def test_no_descriptor_is_left(means: Means) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for words in ((HEAR, OK + b"Content-Length: 9\r\n\r\n"), (HEAR, b"no"), (HEAR, OK, b"X: y\r\n", SLOWLY)):
        hasty = Means(0.3, (), means.folder, means.authorities, means.ssh)
        for start in ((), (TLS,)):
            assert isinstance(answer(hasty, *start, *words)[0], BrokenError)
    time.sleep(0.1)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
