"""A bucket of an S3 service (Amazon S3 API Reference, 2006-03-01), addressed by its path, signed with version 4.

requests-aws4auth signs; it is never asked to send. The errors' XML is not parsed: their code is one plain word.
"""

import re
import time
import urllib.parse
from typing import Final

import requests
from requests_aws4auth import AWS4Auth

from diskimage_validator.errors import UsageError
from diskimage_validator.printable import printable
from diskimage_validator.readiness.facts.object_stores import S3Bucket, StoreRoom
from diskimage_validator.readiness.probes.buckets import answered
from diskimage_validator.readiness.probes.http import Reply, ask_http
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.secret import Secret

MAX_PAGES: Final = 100
"""Of 1000 objects each, that are listed to know what is used."""
LIST_FACTOR: Final = 6
"""How much longer than any other answer the list may take."""
_CODE: Final = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_SIZE: Final = re.compile(rb"<Size>([0-9]{1,18})</Size>")
_NEXT: Final = re.compile(rb"<NextContinuationToken>([^<]{1,2000})</NextContinuationToken>")
_KEY: Final = re.compile(r"[!-~]{1,200}", re.ASCII)
_MEANINGS: Final = {
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "the access key is not known",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "AccessDenied": "this account may not do that",
    "RequestTimeTooSkewed": "the clocks differ",
    "QuotaExceeded": "the quota is used up",
}


class S3:
    """See Bucket."""

    def __init__(self, place: S3Bucket, means: Means) -> None:
        self._place = place
        self._means = means
        keys = (_key(place.access_key, means), _key(place.secret_key, means))
        self._auth = AWS4Auth(*keys, place.region, "s3")
        self._version = ""

    def look(self) -> None:
        """Return if the bucket is there. An answer to HEAD has no body, so that the list has to tell why it is not."""
        reply = self._ask("HEAD")
        if reply.status == 404:
            raise answered(reply, f"there is no bucket '{self._place.bucket}'")
        if reply.status != 200:
            reply = self._ask("GET", query={"list-type": "2", "max-keys": "1"})
        if reply.status != 200:
            raise self._failed(reply)

    def put(self, name: str, content: bytes) -> None:
        """Store a new object, and remember its version: in a bucket with versions, only that can be removed."""
        reply = self._ask("PUT", name, body=content)
        if reply.status != 200:
            raise self._failed(reply)
        self._version = reply.headers.get("x-amz-version-id", "")

    def get(self, name: str) -> bytes:
        """Return the content of an object."""
        reply = self._ask("GET", name)
        if reply.status != 200:
            raise self._failed(reply)
        return reply.body

    def delete(self, name: str) -> None:
        """Remove an object."""
        reply = self._ask("DELETE", name, {"versionId": self._version} if self._version else {})
        if reply.status not in (200, 204, 404):
            raise self._failed(reply)

    def room(self) -> StoreRoom:
        """Return what the objects take. Old versions and uploads that were not completed are not listed."""
        used, deadline = 0, time.monotonic() + LIST_FACTOR * self._means.timeout
        query = {"list-type": "2"}
        for _ in range(MAX_PAGES):
            reply = self._ask("GET", query=query)
            if reply.status != 200:
                raise self._failed(reply)
            used += sum(map(int, _SIZE.findall(reply.body)))
            following = _NEXT.search(reply.body)
            if following is None:
                return StoreRoom(used=used)
            if time.monotonic() > deadline:
                break
            query = {**query, "continuation-token": _unescaped(following[1])}
        return StoreRoom(used=used, untold=f"{self._place} holds too much to be listed")

    def _ask(self, method: str, name: str = "", query: dict[str, str] | None = None, body: bytes = b"") -> Reply:
        url = "/".join(filter(None, (self._place.url, self._place.bucket, name)))
        url += f"?{urllib.parse.urlencode(query, quote_via=urllib.parse.quote)}" if query else ""
        signed = requests.Request(method, url, data=body, auth=self._auth).prepare()
        headers = {name: str(value) for name, value in signed.headers.items()}
        return ask_http(self._means, method, str(signed.url), headers=headers, body=body)

    def _failed(self, reply: Reply) -> Exception:
        code = _CODE.search(reply.body)
        name = code[1].decode() if code else ""
        region = reply.headers.get("x-amz-bucket-region", "")
        if region and region != self._place.region:
            return answered(reply, f"the bucket is in the region {printable(region, 60)}")
        meaning = _MEANINGS.get(name, "")
        return answered(reply, f"{meaning} ({name})" if meaning else f"{reply.said} {name}".strip())


def _key(secret: Secret, means: Means) -> str:
    """Return a key. Raises UsageError, which does not tell it."""
    text = secret.read(means.folder).decode("utf-8", "replace").strip()
    if not _KEY.fullmatch(text):
        raise UsageError(f"{secret} is no key of S3", "one word is wanted, and nothing else")
    return text


def _unescaped(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    for name, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(name, character)
    return text
