"""What members of a ZooKeeper ensemble say of themselves: questions and answers.

The words ``srvr`` and ``mntr`` are those of ZooKeeper's administrator's guide, "The Four Letter Words".
"""

import re
from typing import Final

from diskimage_validator.endpoints import Address
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import name_of
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.secret import Secret

EPOCH_BITS: Final = 32
"""A zxid is the epoch, that is the leader's reign, and a counter in these bits (ZooKeeper Internals)."""
_MAX_VALUE: Final = 60


@dataclass(frozen=True)
class Status:
    """What ``srvr`` tells: ``mode`` is ``leader``, ``follower``, ``observer`` or ``standalone``.

    ``latency``: of requests, the least, mean and greatest, in ms, as the server writes it.
    """

    mode: str
    version: str
    zxid: int
    latency: str
    connections: int

    @property
    def epoch(self) -> int:
        """Under which leader."""
        return self.zxid >> EPOCH_BITS


@dataclass(frozen=True)
class Followers:
    """What ``mntr`` tells of a leader: how many follow, and how many of them have all that it has."""

    all: int
    synced: int


@dataclass(frozen=True)
class Member:
    """A member, as a client sees it.

    ``status``: None if it does not serve; ``followers``: None if it is no leader, or ``mntr`` is not allowed;
    ``participants``: who votes, as the member has it (``/zookeeper/config``), none if it does not tell; ``session``:
    milliseconds from the connection to the end of a session; ``protocol``: of TLS; ``trouble``: why not all of that is
    here; ``sessionless``: why there was no session.
    """

    status: Status | None = None
    followers: Followers | None = None
    participants: tuple[str, ...] = ()
    session: float = 0.0
    protocol: str = ""
    trouble: Trouble | None = None
    sessionless: Trouble | None = None


@dataclass(frozen=True)
class AskMember(Ask[Member]):
    """The state of a member, and a session that is opened and closed; in it ``chroot`` is read, if there is one."""

    address: Address
    certificate: str
    key: Secret
    digest: Secret | None
    chroot: str

    @property
    def target(self) -> str:
        """The member."""
        return str(self.address)

    @property
    def server_names(self) -> tuple[str, ...]:
        """The server."""
        return name_of(self.address)

    @property
    def what(self) -> str:
        """Two or three connections."""
        read = f", reads {self.chroot}" if self.chroot else ""
        return (
            f"ZooKeeper with TLS, client certificate {self.certificate}: srvr, mntr, opens a session{read}, closes it"
        )


@dataclass(frozen=True)
class Doors:
    """What becomes of who should not get in: ``stranger`` has no certificate, the others no TLS, by port."""

    stranger: Knock
    plain: tuple[tuple[int, Knock], ...]


@dataclass(frozen=True)
class AskDoors(Ask[Doors]):
    """Whether a member answers somebody without a certificate, and without TLS at its port and at others."""

    address: Address
    ports: tuple[int, ...]

    @property
    def target(self) -> str:
        """The member."""
        return str(self.address)

    @property
    def server_names(self) -> tuple[str, ...]:
        """The server."""
        return name_of(self.address)

    @property
    def what(self) -> str:
        """A connection with TLS, and some without."""
        return f"ZooKeeper, srvr: with TLS and no client certificate, and without TLS on port {self._ports}"

    @property
    def _ports(self) -> str:
        return " and ".join(map(str, self.ports))


def parse_status(text: str) -> Status | None:
    """Return what the answer to ``srvr`` tells; None if it is none: the member does not serve, or may not tell."""
    values = dict(_PAIR.findall(text))
    try:
        return Status(
            printable(values["Mode"], _MAX_VALUE),
            printable(values["Zookeeper version"].partition(",")[0].partition("-")[0], _MAX_VALUE),
            int(values["Zxid"], 16),
            printable(values["Latency min/avg/max"], _MAX_VALUE),
            int(values["Connections"]),
        )
    except (KeyError, ValueError):
        return None


def parse_followers(text: str) -> Followers | None:
    """Return what the answer to ``mntr`` tells of the leader's followers; None if it does not."""
    values = dict(_TABBED.findall(text))
    followers, synced = values.get("zk_followers", values.get("zk_learners")), values.get("zk_synced_followers")
    return Followers(int(followers), int(synced)) if followers and synced else None


def parse_participants(text: str) -> tuple[str, ...]:
    """Return who votes, sorted, out of ``/zookeeper/config`` ("Dynamic Reconfiguration" of the guide)."""
    return tuple(sorted(printable(where, _MAX_VALUE) for where in _PARTICIPANT.findall(text)))


_PAIR: Final = re.compile(r"^([A-Za-z/ ]{1,40}): (.{1,300})$", re.MULTILINE)
_TABBED: Final = re.compile(r"^(zk_[a-z_]{1,60})\t(\d{1,9})(?:\.0)?$", re.MULTILINE | re.ASCII)
_PARTICIPANT: Final = re.compile(r"^server\.\d{1,20}=([^;\s]{1,300}):participant\b", re.MULTILINE | re.ASCII)
