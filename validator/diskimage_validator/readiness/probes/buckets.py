"""What can be done with a bucket or a container, whatever it is called."""

from typing import Protocol

from diskimage_validator.readiness.facts.object_stores import StoreRoom
from diskimage_validator.readiness.probes.http import Reply
from diskimage_validator.readiness.probes.links import BrokenError


class BucketError(Exception):
    """The store says no; the text says why, as a sentence. Nothing was changed."""


class Bucket(Protocol):
    """All methods raise BucketError, or BrokenError if it is not known what became of it."""

    def look(self) -> None:
        """Return if the bucket is there."""

    def put(self, name: str, content: bytes) -> None:
        """Store a new object."""

    def get(self, name: str) -> bytes:
        """Return the content of an object."""

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is gone."""

    def room(self) -> StoreRoom:
        """Return the quotas."""


def answered(reply: Reply, said: str) -> BucketError | BrokenError:
    """Return what an answer without success means: a server that fails may have done it nevertheless."""
    return BrokenError("status", said) if reply.status >= 500 else BucketError(said)
