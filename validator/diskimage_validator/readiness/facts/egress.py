"""Where connections from a build node get to, and what stops them."""

from typing import Literal

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.secret import Secret

Outcome = Literal[
    "open",
    "silent",
    "refused",
    "rejected",
    "no-route",
    "denied",
    "reset",
    "declined",
    "unresolved",
    "untried",
    "unclear",
]


@dataclass(frozen=True)
class Attempt:
    """One connection attempt. ``address`` is what packets are sent to.

    ``tcp``: a connection, on which nothing is sent. ``dns``: a question by UDP (RFC 1035) about ``subject``, a name.
    ``connect``: an HTTP proxy is asked for a tunnel (RFC 9110, 9.3.6) to ``subject``, NAME:PORT, in which nothing is
    sent; with ``credentials``, USER:PASSWORD.
    """

    protocol: Literal["tcp", "dns", "connect"]
    address: Address
    subject: str = ""
    credentials: Secret | None = None

    def __str__(self) -> str:
        if self.protocol == "connect":
            return f"{self.subject} through {self.address}"
        return f"{self.address} ({'DNS' if self.protocol == 'dns' else 'TCP'})"

    @property
    def what(self) -> str:
        """What is sent, in words."""
        if self.protocol == "connect":
            return f"CONNECT {self.subject} to the proxy {self.address}"
        if self.protocol == "dns":
            return f"DNS by UDP, {f'A of {self.subject}' if self.subject else 'NS of .'}, to {self.address}"
        return f"TCP connection to {self.address}"


@dataclass(frozen=True)
class Answer:
    """What came of an attempt at one IP address, empty if its name has none on the node.

    ``open``: a connection, an answer, a tunnel; ``silent``: nothing at all came back; ``refused``: a TCP reset in the
    place of a connection, or an ICMP message of the host itself; ``rejected``: an ICMP message of somebody on the way;
    ``no-route``: the node knows no way; ``denied``: the node's own firewall stopped it; ``reset``: connected, and
    reset at once; ``declined``: the proxy said no; ``unresolved``: the name has no address; ``untried``: time or
    connections ran out; ``unclear``: anything else. ``words`` says it in a sentence.
    """

    ip: str
    outcome: Outcome
    words: str

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.ip else 4


@dataclass(frozen=True)
class Egress:
    """What came of every attempt, in their order: an answer for each of its addresses, at least one."""

    found: tuple[tuple[Attempt, tuple[Answer, ...]], ...]


@dataclass(frozen=True)
class AskEgress(Ask[Egress]):
    """Attempts from one node, all in one go."""

    node: str
    attempts: tuple[Attempt, ...]

    @property
    def target(self) -> str:
        """The node."""
        return self.node

    @property
    def what(self) -> str:
        """All of it, for ``plan``."""
        return "; ".join(attempt.what for attempt in self.attempts)
