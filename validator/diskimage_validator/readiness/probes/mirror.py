"""Files of a mirror, and of this host: bounded in size and time, and from nobody but whom the factory names."""

import contextlib
import http.client
import string
import tempfile
import urllib.parse
from collections.abc import Iterator
from typing import IO, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.printable import printable
from diskimage_validator.readiness.probes.http import requested, room_for
from diskimage_validator.readiness.probes.links import BrokenError, Meter
from diskimage_validator.readiness.probes.means import Means

MAX_DOWNLOAD: Final = 256 * 1024 * 1024
"""Bytes of an index as it is sent; that of a whole distribution has about 10 MiB."""
DOWNLOAD_FACTOR: Final = 6
"""How much longer than any other answer an index may take, as long as more of it comes."""
MAX_REDIRECTIONS: Final = 10
HINT: Final = "is the mirror up, is its CA in 'certificates.bundle', and is the path right?"
NAME_HINT: Final = "add it to the zone, or correct the factory.yaml: see dns-names"
_CHUNK: Final = 1024 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@contextlib.contextmanager
def opened(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give what is at ``index``, a URL or a path: the file that it is, or a temporary copy.

    Raises EngineError, also for errors while the file is read in the block.
    """
    try:
        with _opened(index, means) as file:
            yield file
    except BrokenError as error:
        hint = NAME_HINT if error.trouble.kind == "name" else HINT
        raise EngineError(f"{index}: {error.trouble}", hint) from error
    except OSError as error:
        raise EngineError(
            f"{index}: {error.strerror or error}", "is the path right, and has this host room?"
        ) from error


@contextlib.contextmanager
def _opened(index: str, means: Means) -> Iterator[IO[bytes]]:
    """Give the index: the file that it is, or a temporary copy."""
    if "://" not in index:
        with (means.folder / index).open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile(prefix="readiness-") as copy:
        _download(index, means, copy)
        copy.seek(0)
        yield copy


def _download(index: str, means: Means, copy: IO[bytes]) -> None:
    """Write what is at ``index`` to ``copy``. Raises BrokenError, or EngineError for what is not there."""
    meter = Meter(means.timeout, room_for(MAX_DOWNLOAD), DOWNLOAD_FACTOR * means.timeout)
    url = index
    for _ in range(MAX_REDIRECTIONS):
        with requested(means, meter, "GET", url, plain=True) as response:
            if response.status == 200:
                return _save(index, response, meter, copy)
            url = _onward(url, response)
        meter.renew()
    raise EngineError(f"{index}: redirects more than {MAX_REDIRECTIONS} times", HINT)


def _save(index: str, response: http.client.HTTPResponse, meter: Meter, copy: IO[bytes]) -> None:
    while data := response.read1(_CHUNK):
        try:
            copy.write(data)
        except OSError as error:  # that is this host's, and no matter of the connection
            raise EngineError(f"{index}: no copy in {tempfile.gettempdir()}: {error.strerror}") from error
        if copy.tell() > MAX_DOWNLOAD:
            raise EngineError(f"{index}: more than {MAX_DOWNLOAD // 1024 // 1024} MiB")
        meter.renew()
    if response.length:  # read1 does not tell of an early end
        raise http.client.IncompleteRead(b"")


def _onward(url: str, response: http.client.HTTPResponse) -> str:
    """Return whereto a mirror redirects within the mirror: nobody is contacted whom the factory does not name.

    Raises EngineError if that is another host, or for any other status.
    """
    place = response.getheader("Location", "") if response.status in _REDIRECTS else ""
    if not place:
        raise EngineError(f"{url}: HTTP status {response.status}", HINT)
    try:
        new = urllib.parse.urljoin(url, urllib.parse.quote(place, string.punctuation, "iso-8859-1"))
        same = urllib.parse.urlsplit(new)[:2] == urllib.parse.urlsplit(url)[:2]
    except ValueError:
        same, new = False, place
    if not same:
        raise EngineError(f"{url}: redirects to {printable(new, 200)}", "name that place in the factory.yaml")
    return new
