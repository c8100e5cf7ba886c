"""What TLS servers show: questions and answers (RFC 8446)."""

from typing import Literal

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import name_of
from diskimage_validator.readiness.secret import Secret


@dataclass(frozen=True)
class Handshake:
    """What a server presented.

    ``chain``: DER, its own certificate first; ``protocol``: the one that was agreed on, as OpenSSL writes it;
    ``old``: the protocols that it also takes though they are older than is allowed; ``untold``: those that this host's
    OpenSSL cannot offer; ``trouble``: why there was no handshake, and then nothing else is filled.
    """

    chain: tuple[bytes, ...] = ()
    protocol: str = ""
    old: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class AskTls(Ask[Handshake]):
    """A handshake with ``address``, at the IP address ``ip``, or, if that is empty, at one that it resolves to.

    ``oldest`` is the oldest protocol that the server may take.
    """

    address: Address
    ip: str
    oldest: str

    @property
    def target(self) -> str:
        """The server."""
        return place(self.address, self.ip)

    @property
    def server_names(self) -> tuple[str, ...]:
        """The server, where no IP address is named."""
        return () if self.ip else name_of(self.address)

    @property
    def what(self) -> str:
        """Handshakes: a usual one, and one for each older protocol."""
        return f"TLS handshakes as {self.address.name}, by default and older than {self.oldest}"


@dataclass(frozen=True)
class Knock:
    """What became of a client: ``failed`` is neither; ``detail`` says how."""

    outcome: Literal["accepted", "refused", "failed"]
    detail: str


@dataclass(frozen=True)
class Mutual:
    """What became of a client with a certificate, and of one without."""

    known: Knock
    stranger: Knock


@dataclass(frozen=True)
class AskMutual(Ask[Mutual]):
    """Connections to ``address`` with and without the client's certificate; with ``http``, a request on each."""

    address: Address
    ip: str
    certificate: str
    key: Secret
    http: bool

    @property
    def target(self) -> str:
        """The server."""
        return place(self.address, self.ip)

    @property
    def server_names(self) -> tuple[str, ...]:
        """The server, where no IP address is named."""
        return () if self.ip else name_of(self.address)

    @property
    def what(self) -> str:
        """Two connections."""
        request = " and HEAD /" if self.http else ""
        return f"TLS as {self.address.name}{request}, with the client certificate {self.certificate} and without"


def place(address: Address, ip: str) -> str:
    """Return where an endpoint is asked: its name and port, and the IP address if one is named."""
    return f"{address} at {ip}" if ip else str(address)
