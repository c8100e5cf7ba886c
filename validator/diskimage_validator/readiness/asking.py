"""A question to the network, and what came of it: the two ends between which probes work."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.frozen import dataclass

Fact = TypeVar("Fact")


class Ask(Generic[Fact]):
    """One question, as plain data that can be compared: who asks the same asks once. ``Fact`` is what answers it."""

    @property
    def target(self) -> str:
        """Whom it contacts: ``192.0.2.53:53``."""
        raise NotImplementedError

    @property
    def what(self) -> str:
        """What it does there, in words: ``A and AAAA of zuul.internal``."""
        raise NotImplementedError

    @property
    def server_names(self) -> tuple[str, ...]:
        """The names that resolvers are asked for to know where to connect to: the factory's, or else this host's."""
        return ()

    @property
    def host_server_names(self) -> tuple[str, ...]:
        """The same, where a program asks that knows this host's resolvers only."""
        return ()

    @property
    def tried(self) -> str:
        """Both in one: what a report tells."""
        return f"{self.target}: {self.what}"


@dataclass(frozen=True)
class Evidence(Generic[Fact]):
    """What came of a question: a fact, or why there is none; ``when`` it was asked (UTC, ISO 8601)."""

    ask: Ask[Fact]
    fact: Fact | Unreadable
    when: str


class Seen:
    """All evidence of a run."""

    def __init__(self, evidence: Mapping[Ask[Any], Evidence[Any]]) -> None:
        self._evidence = evidence

    def __getitem__(self, ask: Ask[Fact]) -> Evidence[Fact]:
        """Return what came of ``ask``. Raises KeyError if nobody asked that."""
        return self._evidence[ask]
