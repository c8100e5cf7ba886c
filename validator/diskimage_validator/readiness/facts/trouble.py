"""Why a service gave no answer that can be used: one vocabulary for all of them, whatever they speak."""

from typing import Literal

from diskimage_validator.frozen import dataclass

Kind = Literal[
    "name",
    "refused",
    "unreachable",
    "silent",
    "tls",
    "client",
    "protocol",
    "session",
    "denied",
    "absent",
    "redirect",
    "status",
    "answer",
]


@dataclass(frozen=True)
class Trouble:
    """How far a client came, and what it was told: a sentence that may be without its subject, the service; printable.

    ``name``: it does not resolve; ``refused``: nobody listens, or whoever does hangs up; ``unreachable``: no way there;
    ``silent``: no whole answer in time; ``tls``: no handshake, or a certificate that does not verify; ``client``: ours
    is refused; ``protocol``: what answers is something else; ``session``: none was opened; ``denied``: the user is
    refused, HTTP status 401 or 403; ``absent``: what is asked for is not there, or not for this user, 404;
    ``redirect``: to another place; ``status``: any other HTTP status but 200; ``answer``: it is not what this service
    says.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        return self.text
