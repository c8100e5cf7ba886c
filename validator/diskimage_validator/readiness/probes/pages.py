"""Questions to web servers: what is at a URL."""

import zlib
from typing import Final

from diskimage_validator.printable import decode, printable
from diskimage_validator.readiness.facts.pages import AskPage, Page
from diskimage_validator.readiness.probes.http import ask_http
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means

MAX_TEXT: Final = 1024 * 1024
"""Bytes of a log that are looked at, as they are sent and decompressed: a whole one may have gigabytes."""
_GZIP: Final = 16 + zlib.MAX_WBITS


def ask_page(ask: AskPage, means: Means) -> Page:
    """Return what is at a URL."""
    try:
        reply = ask_http(means, "GET", ask.url, headers={"Accept-Encoding": "gzip"}, limit=MAX_TEXT, whole=False)
    except BrokenError as error:
        return Page(trouble=str(error))
    encoding = printable(reply.headers.get("content-encoding", "").strip().lower(), 40)
    body = reply.body
    if encoding == "gzip":
        try:
            body = zlib.decompressobj(_GZIP).decompress(body, MAX_TEXT)
        except zlib.error as error:
            return Page(trouble=f"{ask.target}: 'Content-Encoding: gzip', and what comes is not: {error}")
    media = printable(reply.headers.get("content-type", "").partition(";")[0].strip().lower(), 100)
    return Page(reply.status, reply.said, media, encoding, decode(body))
