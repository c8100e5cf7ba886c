"""Why something that speaks HTTP gave no answer that can be used: what all questions to web services have in common."""

from typing import Literal

from diskimage_validator.frozen import dataclass

Kind = Literal["name", "refused", "unreachable", "silent", "tls", "redirect", "denied", "absent", "status", "answer"]


@dataclass(frozen=True)
class NoAnswer:
    """``reason`` is a sentence without its subject; ``kind`` tells what it is about, for whoever has to mend it.

    ``name``: it does not resolve; ``refused``: nobody listens, or whoever does hangs up; ``unreachable``: no way there;
    ``silent``: no whole answer in time; ``tls``: no handshake, or a certificate that does not verify; ``redirect``: to
    another place; ``denied``: status 401 or 403; ``absent``: 404; ``status``: any other status but 200; ``answer``: it
    is not what this service says.
    """

    kind: Kind
    reason: str

    def __str__(self) -> str:
        return self.reason
