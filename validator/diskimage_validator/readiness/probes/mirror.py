"""Files of a mirror, and of this host: bounded in size and time, and from nobody but whom the factory names."""

import contextlib
import http.client
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import IO, Any, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.printable import printable
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.http import explained
from diskimage_validator.readiness.probes.means import Means

MAX_DOWNLOAD: Final = 256 * 1024 * 1024
"""Bytes of an index as it is sent; that of a whole distribution has about 10 MiB."""
DOWNLOAD_FACTOR: Final = 6
"""How much longer than any other answer an index may take."""
HINT: Final = "is the mirror up, is its CA in 'certificates.bundle', and is the path right?"
_OF_SERVERS: Final = (ssl.SSLError, TimeoutError, ConnectionError, http.client.HTTPException)
"""Errors that no file of this host gives."""


@contextlib.contextmanager
def opened(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give what is at ``index``, a URL or a path: the file that it is, or a temporary copy.

    Raises EngineError, also for errors while the file is read in the block.
    """
    try:
        with _opened(index, means) as file:
            yield file
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(f"{index}: {_reason(error)}", HINT) from error


@contextlib.contextmanager
def _opened(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give the index: the file that it is, or a temporary copy."""
    if "://" not in index:
        with (means.folder / index).open("rb") as file:
            yield file
        return
    https = urllib.request.HTTPSHandler(context=verifying(means.authorities))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), https, _SameHost)
    limit = DOWNLOAD_FACTOR * means.timeout
    deadline = time.monotonic() + limit
    with tempfile.TemporaryFile(prefix="readiness-") as copy:
        with opener.open(index, timeout=means.timeout) as response:
            while data := response.read1(1 << 20):
                copy.write(data)
                if copy.tell() > MAX_DOWNLOAD:
                    raise EngineError(f"{index}: more than {MAX_DOWNLOAD // 1024 // 1024} MiB")
                if time.monotonic() > deadline:
                    raise EngineError(f"{index}: not complete after {limit:g} s")
        copy.seek(0)
        yield copy


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a mirror's redirection within the mirror: nobody else is contacted whom the factory does not name."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        """Return the request to the new place. Raises EngineError if that is another host."""
        request, *_, new = arguments
        if urllib.parse.urlsplit(new)[:2] != urllib.parse.urlsplit(request.full_url)[:2]:
            raise EngineError(
                f"{request.full_url}: redirects to {printable(new)}", "name that place in the factory.yaml"
            )
        return super().redirect_request(*arguments)


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        with error:
            return f"HTTP status {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if cause is not error or isinstance(error, _OF_SERVERS):
        return str(explained(cause).trouble) if isinstance(cause, Exception) else str(cause)
    return str(getattr(cause, "strerror", None) or cause)
