"""Why a service could not be talked to."""

from typing import Literal

from diskimage_validator.frozen import dataclass

Kind = Literal["name", "connection", "tls", "client", "protocol", "session", "login", "database"]


@dataclass(frozen=True)
class Trouble:
    """How far a client came, and what it was told, as a part of a sentence; printable.

    ``name``: it does not resolve; ``connection``: refused, silent, no way to it, or broken off; ``tls``: no handshake,
    or a certificate that does not verify; ``client``: ours is refused; ``protocol``: what answers is something else;
    ``session``: none was opened; ``login``: the user is refused; ``database``: it is not there, or not for this user.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text
