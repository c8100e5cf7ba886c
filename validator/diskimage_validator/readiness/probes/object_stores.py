"""Questions to object stores: whether a bucket is there, gives back what is put into it, and how much room it has."""

import secrets
from typing import Final

from diskimage_validator.errors import EngineError
from diskimage_validator.readiness.facts.object_stores import (
    AskObjectStore,
    AskStoreRoom,
    ObjectStore,
    S3Bucket,
    StoreRoom,
    SwiftContainer,
)
from diskimage_validator.readiness.probes.buckets import Bucket, BucketError
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means

PREFIX: Final = "readiness-"
"""What the names of all objects begin with that are written."""
SIZE: Final = 64


def ask_object_store(ask: AskObjectStore, means: Means) -> ObjectStore:
    """Return what came of a bucket. Raises UsageError if its credentials cannot be read."""
    try:
        bucket = _opened(ask.place, means)
        bucket.look()
    except (BucketError, BrokenError) as error:
        return ObjectStore(str(error))
    if not ask.write:
        return ObjectStore()
    with means.traces.leaving():
        return _round_trip(bucket, means)


def ask_store_room(ask: AskStoreRoom, means: Means) -> StoreRoom:
    """Return the quotas of a bucket. Raises a ValidatorError if they cannot be told."""
    try:
        return _opened(ask.place, means).room()
    except (BucketError, BrokenError) as error:
        raise EngineError(str(error), "mend what object-store tells of it") from error


def _opened(place: S3Bucket | SwiftContainer, means: Means) -> Bucket:
    """Return a client; each imports libraries that a run without it does not need."""
    if isinstance(place, S3Bucket):
        from diskimage_validator.readiness.probes.s3 import S3

        return S3(place, means)
    from diskimage_validator.readiness.probes.swift import Swift

    return Swift(place, means)


def _round_trip(bucket: Bucket, means: Means) -> ObjectStore:
    """Write, read and remove an object whose name nobody else has."""
    name, content = f"{PREFIX}{secrets.token_hex(16)}", secrets.token_bytes(SIZE)
    refused = False
    left = ""
    try:
        trouble = _written_and_read(bucket, name, content, means)
    except BucketError as error:
        refused, trouble = True, f"cannot write into it: {error}"
    finally:
        if not refused:
            left = _removed(bucket, name)
    return ObjectStore(trouble, left)


def _written_and_read(bucket: Bucket, name: str, content: bytes, means: Means) -> str:
    """Return what is wrong. Raises BucketError if nothing was written."""
    try:
        bucket.put(name, content)
    except BrokenError as error:
        return f"cannot write into it: {error}"
    if not means.traces.rest(0):
        return "interrupted"
    try:
        same = bucket.get(name) == content
    except (BucketError, BrokenError) as error:
        return f"cannot read what was written: {error}"
    return "" if same else "what is read is not what was written"


def _removed(bucket: Bucket, name: str) -> str:
    """Remove the object and return what is left: its name and why, or nothing."""
    try:
        bucket.delete(name)
    except (BucketError, BrokenError) as error:
        return f"the object {name} may be left there: {error}"
    return ""
