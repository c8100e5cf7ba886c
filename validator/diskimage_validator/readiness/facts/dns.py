"""What resolvers say: questions and answers (RFC 1035, RFC 3596)."""

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask


@dataclass(frozen=True)
class Lookup:
    """An answer about a name.

    ``status``: the response code's name (RFC 6895), ``NOERROR`` also where there is no such record; ``addresses``: in
    numeric order; ``alias``: the end of the chain of CNAMEs, if there is one; ``trouble``: why there is no answer, as a
    sentence, and then nothing else is filled.
    """

    status: str = ""
    addresses: tuple[str, ...] = ()
    alias: str = ""
    trouble: str = ""

    def __str__(self) -> str:
        if self.trouble:
            return self.trouble
        if self.addresses:
            return ", ".join(self.addresses) + (f" (alias of {self.alias})" if self.alias else "")
        return "no such record" if self.status == "NOERROR" else self.status


@dataclass(frozen=True)
class AskName(Ask[Lookup]):
    """The addresses of ``name``, from one resolver."""

    resolver: Address
    name: str

    @property
    def target(self) -> str:
        """The resolver."""
        return str(self.resolver)

    @property
    def what(self) -> str:
        """Both families are asked for."""
        return f"DNS, A and AAAA of {self.name}"


@dataclass(frozen=True)
class Reverse:
    """An answer about an address: the names of its PTR records, sorted; ``status`` and ``trouble`` as in Lookup."""

    status: str = ""
    names: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class AskReverse(Ask[Reverse]):
    """The names of an IP address, from one resolver."""

    resolver: Address
    ip: str

    @property
    def target(self) -> str:
        """The resolver."""
        return str(self.resolver)

    @property
    def what(self) -> str:
        """One question."""
        return f"DNS, PTR of {self.ip}"


@dataclass(frozen=True)
class NodeLookups:
    """What a node resolves: (name, addresses) of every name that was asked for, none if it does not resolve."""

    found: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class AskNode(Ask[NodeLookups]):
    """The addresses of names, as programs on a node get them."""

    node: str
    names: tuple[str, ...]

    @property
    def target(self) -> str:
        """The node."""
        return self.node

    @property
    def what(self) -> str:
        """The command that does what getaddrinfo(3) does."""
        return f"getent ahosts {' '.join(self.names)}"
