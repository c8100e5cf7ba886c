"""What is left of the quotas of the object stores that mirrors live in."""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.object_stores import AskStoreRoom, StoreRoom
from diskimage_validator.readiness.rules.storage import MirrorStore
from diskimage_validator.sizes import format_size

_STATE_IT: Final = "let this account see its quota; or give the mirror a name and the 'quota' that is for it"


def asks(factory: Factory) -> Iterator[AskStoreRoom]:
    """Yield a question per object store."""
    for _, ask in _stores(factory):
        yield ask


def _stores(factory: Factory) -> Iterator[tuple[MirrorStore, AskStoreRoom]]:
    places = {store.name: store.place for store in factory.rules.services.object_stores}
    for mirror in factory.rules.storage.mirrors if factory.rules.storage else ():
        if mirror.object_store:
            yield mirror, AskStoreRoom(places[mirror.object_store])


Unknown = tuple[str, str]
"""What could not be told, and what to do about that."""


def rooms(question: Question) -> tuple[int, list[str], list[Unknown]]:
    """Return the room of all of them, that of each in words, and of which it is not known.

    What is left of an account's quota counts once, in however many of its containers mirrors live.
    """
    room, places, unknown = 0, [], []
    accounts: dict[str, int] = {}
    seen = set()
    for mirror, ask in _stores(question.factory):
        fact = question.seen[ask].fact
        if isinstance(fact, Unreadable):
            unknown.append((f"the room in {mirror}: {fact.reason}", fact.hint))
        elif fact.untold:
            unknown.append((f"the room in {mirror}: {fact.untold}", _STATE_IT))
        elif ask in seen:
            places.append(f"{mirror}: the same object store")
        else:
            seen.add(ask)
            left = _left(mirror, fact, accounts)
            if left is None:
                unknown.append((f"the room in {mirror}: it has no quota, and none is stated ('quota')", _STATE_IT))
            else:
                room += left
                places.append(f"{mirror}: {format_size(left)} left")
    return room, places, unknown


def _left(mirror: MirrorStore, fact: StoreRoom, accounts: dict[str, int]) -> int | None:
    """Return the smallest rest of all quotas that there are, and take it off the account's."""
    rests = [max(0, quota - fact.used) for quota in (mirror.quota, fact.quota) if quota is not None]
    if fact.account_quota is not None:
        rests.append(accounts.setdefault(fact.account, max(0, fact.account_quota - fact.account_used)))
    if not rests:
        return None
    if fact.account in accounts:
        accounts[fact.account] -= min(rests)
    return min(rests)
