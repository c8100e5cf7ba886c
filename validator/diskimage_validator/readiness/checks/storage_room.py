"""The mirrors have room for ``factor`` times (2 by default) what they have to hold.

The size is the sum over all images and packages, where a layer that several images share, and a package that several
indices list, counts once; the finding tells it by source, and what sources have in common. The room is the free space
of the file systems under ``mirrors``, on this host or on a node, where one file system counts once, by whatever mounts
(bind mounts, subvolumes, folders of one NFS export) its folders are reached; what is left of the
quotas of object stores; and quotas as stated. So ask before the mirrors are filled, or with a smaller factor
afterwards.

Swift tells the quotas of a container, its account and its storage policy, and what is used of each. S3 has no quota
in its API: there the stated ``quota`` counts, minus the sum of what is in the bucket, if that can be listed (100,000
objects).

.. rubric:: Example

With this factory::

    storage:
      images:
        - {image: "registry.internal:5000/kolla/nova-api:2026.1"}
      mirrors:
        - {path: /srv/mirror}
        - {object_store: mirror, quota: 2 TB}
      factor: 2

the line passes if the image has 600 MiB, and 2 TB and what is free at ``/srv/mirror`` are 1200 MiB or more.

It fails if they are less. If a size or a room cannot be told, the rest may be too much already; if it is not, nothing
is known: ERROR. So it is with a platform or a package that is wanted and not there: that has a size, too.
"""

from collections.abc import Iterator
from typing import Any, Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.live.space import Space
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.checks import object_store_room, storage_images, storage_packages
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.checks.object_store_room import Unknown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.storage import AskSpace, Stored
from diskimage_validator.sizes import format_size

ID: Final = "storage-room"
TITLE: Final = "Room for the mirrors"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Storage"

SUBJECT: Final = "mirrors"


def asks(factory: Factory) -> Iterator[Ask[Any]]:
    """Yield the questions about all that has to be stored, and one per folder."""
    yield from storage_images.asks(factory)
    yield from storage_packages.asks(factory)
    for store in factory.rules.storage.mirrors if factory.rules.storage else ():
        if store.path:
            yield AskSpace(store.node, store.path)
    yield from object_store_room.asks(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding."""
    storage = question.factory.rules.storage
    if storage is None:
        return
    by_source, unknown = _wanted(question)
    once = {stored.digest: stored.size for files in by_source.values() for stored in files}
    total, needed = sum(once.values()), round(sum(once.values()) * storage.factor)
    room, places, unknown_room = _room(question)
    sums = [f"{source} {format_size(sum(one.size for one in set(files)))}" for source, files in by_source.items()]
    shared = sum(sum(one.size for one in set(files)) for files in by_source.values()) - total
    if shared:
        sums.append(f"{format_size(shared)} of it in several")
    expected = f"{format_size(needed)}: {storage.factor:g} times {format_size(total)} ({'; '.join(sums)})"
    actual = f"{format_size(room)} ({'; '.join(places)})"
    asked = list(dict.fromkeys(asks(question.factory)))
    tried = "; ".join(dict.fromkeys(ask.tried for ask in asked))
    when = max((question.seen[ask].when for ask in asked), default="")
    message = f"{format_size(room)} for {expected}"
    hint = ""
    if unknown_room or (unknown and needed <= room):
        status, message = Status.ERROR, f"could not tell: {'; '.join(what for what, _ in [*unknown, *unknown_room])}"
        hint = next((hint for _, hint in [*unknown, *unknown_room] if hint), "")
    elif needed > room:
        status, hint = Status.FAIL, f"add {format_size(needed - room)}, or mirror less"
    else:
        status = Status.PASS
    yield Finding(SUBJECT, status, message, expected, actual, hint, tried=tried, when=when)


def _wanted(question: Question) -> tuple[dict[str, list[Stored]], list[Unknown]]:
    """Return what has to be stored by source, and whose size is not known."""
    found: dict[str, list[Stored]] = {}
    unknown: list[Unknown] = []
    for image in storage_images.asks(question.factory):
        images = question.seen[image].fact
        if isinstance(images, Unreadable):
            unknown.append(_without_size(image.image, storage_images.ID))
        else:
            if images.missing:
                what = f"{image.image} for {', '.join(images.missing)}"
                unknown.append(_without_size(what, storage_images.ID))
            found.setdefault(f"images of {image.target}", []).extend(images.blobs)
    for index in storage_packages.asks(question.factory):
        packages = question.seen[index].fact
        if isinstance(packages, Unreadable):
            unknown.append(_without_size(index.index, storage_packages.ID))
        else:
            if packages.missing or packages.unmet:
                what = f"what is not in {', '.join(index.indices)}"
                unknown.append(_without_size(what, storage_packages.ID))
            found.setdefault(f"packages of {index.target}", []).extend(packages.files)
    return found, unknown


def _without_size(what: str, check: str) -> Unknown:
    return f"the size of {what}: see {check}", f"mend what {check} tells of it"


def _room(question: Question) -> tuple[int, list[str], list[Unknown]]:
    """Return the room of all mirrors, that of each in words, and of which it is not known."""
    room, places = 0, []
    unknown: list[Unknown] = []
    seen: set[tuple[str, str]] = set()
    for store in question.factory.rules.storage.mirrors if question.factory.rules.storage else ():
        if store.object_store:
            continue
        if store.path is None:
            room += store.quota or 0
            places.append(f"{store}: {format_size(store.quota or 0)}")
            continue
        fact = question.seen[AskSpace(store.node, store.path)].fact
        if isinstance(fact, Unreadable):
            unknown.append((f"the room at {store.path}: {fact.reason}", fact.hint))
        elif (system := _file_system(store.node, fact)) in seen:
            places.append(f"{store}: on the same file system")
        else:
            seen.add(system)
            room += fact.free
            places.append(f"{store}: {format_size(fact.free)} free")
    more = object_store_room.rooms(question)
    return room + more[0], places + more[1], unknown + more[2]


def _file_system(node: str, space: Space) -> tuple[str, str]:
    """Return what a file system is known by, however often it is mounted.

    An export, ``HOST:/PATH``, is the same for all nodes. A name without a slash, ``tmpfs``, is that of many: there it
    is the mount point.
    """
    if ":/" in space.source:
        return "", space.source
    return node, space.source if "/" in space.source else space.mountpoint
