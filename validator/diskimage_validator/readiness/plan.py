"""What a run would ask, without asking it: nothing that can open a connection is imported here."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.checks import READINESS_CHECKS, dns_names
from diskimage_validator.readiness.factory import Factory

Row = tuple[str, str, str]
OWN_RESOLVERS: Final = "this host's resolvers"
"""Those of its resolv.conf(5)."""


def planned(factory: Factory) -> list[Ask[Any]]:
    """Return every question that the checks have about ``factory``, each once, in the order of the checklist."""
    return list(dict.fromkeys(ask for check in READINESS_CHECKS.values() for ask in check.asks(factory)))


def plan_rows(factory: Factory) -> list[Row]:
    """Return (line of the checklist, whom it contacts, what it does there) of every question.

    The resolvers that are asked where others are come first.
    """
    lines: dict[Ask[Any], str] = {}
    for check in READINESS_CHECKS.values():
        for ask in check.asks(factory):
            lines.setdefault(ask, check.line)
    return [*_lookups(factory, lines), *((line, ask.target, ask.what) for ask, line in lines.items())]


def _lookups(factory: Factory, asked: Iterable[Ask[Any]]) -> Iterator[Row]:
    """Yield a row per resolver: what it is asked so that others can be."""
    names = dict.fromkeys(name for ask in asked for name in ask.server_names)
    own = dict.fromkeys(name for ask in asked for name in ask.host_server_names)
    if not factory.resolvers:
        names, own = {}, names | own
    for resolver in factory.resolvers if names else ():
        yield _lookup(str(resolver), names)
    if own:
        yield _lookup(OWN_RESOLVERS, own)


def _lookup(resolver: str, names: Iterable[str]) -> Row:
    told = sorted(names, key=lambda name: " " in name)  # those last that are words about names which are not yet known
    return dns_names.LINE, resolver, f"DNS, A and AAAA of {', '.join(told)}, to connect to them"
