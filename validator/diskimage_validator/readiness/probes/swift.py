"""A container of OpenStack Swift (Object Storage API v1), after a login to Keystone.

Quotas are headers: those of the account and of its storage policies of the middleware account_quotas, those of a
container of container_quotas. What is used is counted with a delay.
"""

import urllib.parse
from collections.abc import Mapping
from typing import Final

from diskimage_validator.errors import EngineError
from diskimage_validator.readiness.facts.object_stores import StoreRoom, SwiftContainer
from diskimage_validator.readiness.probes.buckets import BucketError, answered
from diskimage_validator.readiness.probes.http import Reply, ask_http
from diskimage_validator.readiness.probes.keystone import log_in
from diskimage_validator.readiness.probes.means import Means

_MEANINGS: Final = {
    401: "Swift does not take Keystone's token",
    403: "this account may not do that",
    404: "there is no such container",
    413: "the quota is used up",
    507: "there is no room left",
}


class Swift:
    """See Bucket."""

    def __init__(self, place: SwiftContainer, means: Means) -> None:
        self._place = place
        self._means = means
        try:
            session = log_in(place.clouds, place.cloud, means)
            self._account = session.url("object-store")
        except EngineError as error:
            raise BucketError(error.message) from error
        self._headers = {"X-Auth-Token": session.token}

    def look(self) -> None:
        """Return if the container is there."""
        reply = self._ask("HEAD")
        if reply.status == 404:
            raise answered(reply, f"there is no container '{self._place.container}'")
        if reply.status not in (200, 204):
            raise _failed(reply)

    def put(self, name: str, content: bytes) -> None:
        """Store a new object."""
        reply = self._ask("PUT", name, content)
        if reply.status != 201:
            raise _failed(reply)

    def get(self, name: str) -> bytes:
        """Return the content of an object."""
        reply = self._ask("GET", name)
        if reply.status != 200:
            raise _failed(reply)
        return reply.body

    def delete(self, name: str) -> None:
        """Remove an object."""
        reply = self._ask("DELETE", name)
        if reply.status not in (200, 204, 404):
            raise _failed(reply)

    def room(self) -> StoreRoom:
        """Return the quotas of the container and of its account; of the account's two the smaller rest counts."""
        container = self._ask("HEAD")
        if container.status not in (200, 204):
            raise _failed(container)
        quota = _number(container.headers, "x-container-meta-quota-bytes")
        used = _number(container.headers, "x-container-bytes-used") or 0
        account = ask_http(self._means, "HEAD", self._account, headers=self._headers)
        if account.status not in (200, 204):
            return StoreRoom(quota, used, untold=f"the account's quota: {account.said}")
        policy = container.headers.get("x-storage-policy", "").lower()
        limits = [
            (_number(account.headers, "x-account-quota-bytes"), "x-account-bytes-used"),
            (_number(account.headers, "x-account-meta-quota-bytes"), "x-account-bytes-used"),
            (
                _number(account.headers, f"x-account-quota-bytes-policy-{policy}"),
                f"x-account-storage-policy-{policy}-bytes-used",
            ),
        ]
        known = [(limit, max(used, _number(account.headers, name) or 0)) for limit, name in limits if limit is not None]
        limit, taken = min(known, key=lambda pair: pair[0] - pair[1], default=(None, 0))
        return StoreRoom(quota, used, self._account, limit, taken)

    def _ask(self, method: str, name: str = "", content: bytes = b"") -> Reply:
        parts = (self._account, urllib.parse.quote(self._place.container, safe=""), name)
        return ask_http(self._means, method, "/".join(filter(None, parts)), headers=self._headers, body=content)


def _failed(reply: Reply) -> Exception:
    meaning = _MEANINGS.get(reply.status)
    return answered(reply, f"{meaning} ({reply.said})" if meaning else reply.said)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    value = headers.get(name, "").strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None
