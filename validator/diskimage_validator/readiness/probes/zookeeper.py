"""Questions to one member of a ZooKeeper ensemble each, over TLS.

A server that takes TLS (Netty) answers four-letter words on that port, too; ``srvr`` is the one that it answers by
default (``4lw.commands.whitelist``). The AdminServer would tell the same, but by HTTP without TLS, and many switch it
off.
"""

import contextlib
import ssl
import time
from typing import Final

from diskimage_validator.endpoints import Address
from diskimage_validator.printable import decode
from diskimage_validator.readiness.facts.tls import Knock
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zookeeper import (
    AskDoors,
    AskMember,
    Doors,
    Member,
    parse_followers,
    parse_participants,
    parse_status,
)
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.clients import load_client
from diskimage_validator.readiness.probes.links import (
    CLOSED,
    BrokenError,
    Meter,
    broken,
    dial,
    metered,
    secure,
    turned_away,
)
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.zookeeper_session import session

MAX_WORD: Final = 64 * 1024
"""Bytes of the answer to a four-letter word."""
CONFIGURATION: Final = "/zookeeper/config"
"""Where a server has the configuration of its ensemble, for everybody to read."""
TLS_RECORDS: Final = (b"\x15", b"\x16")
"""How an alert and a handshake begin (RFC 8446, 5.1): not an answer to what came without TLS."""
NOBODY: Final = ("refused", "unreachable", "silent")
"""Kinds of trouble with a port that is as good as closed."""


def ask_member(ask: AskMember, means: Means) -> Member:
    """Return what a member says. Raises UsageError for files and secrets that cannot be read."""
    context = verifying(means.authorities)
    load_client(context, ask.certificate, ask.key, means.folder)
    digest = ask.digest.line(means.folder) if ask.digest else ""
    meter = Meter(means.timeout)
    metered(context, meter)
    status = followers = None
    protocol = ""
    try:
        said, protocol = _word(b"srvr", ask.address, means, meter, context)
        status = parse_status(said)
        if status is None:
            return Member(protocol=protocol, trouble=_no_status(said))
        if status.mode == "leader":
            followers = parse_followers(_word(b"mntr", ask.address, means, meter, context)[0])
    except BrokenError as error:
        return Member(status, protocol=protocol, trouble=error.trouble)
    return _with_session(ask, means, context, digest, Member(status, followers, protocol=protocol))


def _no_status(said: str) -> Trouble:
    if "not currently serving" in said:
        return Trouble("session", "it serves nobody: it has no quorum, or has not found its leader")
    if "whitelist" in said:
        return Trouble("protocol", "it may not tell its state: srvr is not in its 4lw.commands.whitelist")
    return Trouble("protocol", "what answers is no ZooKeeper")


def _word(word: bytes, address: Address, means: Means, meter: Meter, context: ssl.SSLContext) -> tuple[str, str]:
    """Return the answer to a four-letter word, after which the server ends the connection, and TLS' protocol."""
    with secure(dial(address, means, meter), address, context) as link:
        try:
            link.sendall(word)
            data = b""
            while len(data) < MAX_WORD and (more := link.recv(MAX_WORD)):
                data += more
        except OSError as error:
            raise broken(error) from error
        return decode(data), link.version() or ""


def _with_session(ask: AskMember, means: Means, context: ssl.SSLContext, digest: str, member: Member) -> Member:
    """Return ``member`` with what comes of a session, for which there is as much time as for its state."""
    meter = Meter(means.timeout)
    metered(context, meter)
    started = time.monotonic()
    participants: tuple[str, ...] = ()
    trouble = None
    try:
        with secure(dial(ask.address, means, meter), ask.address, context) as link:
            try:
                with session(link, means.timeout) as opened:
                    if digest:
                        opened.authenticate(digest)
                    if ask.chroot:
                        opened.read(ask.chroot)
                    participants = parse_participants(decode(opened.read(CONFIGURATION)))
            except OSError as error:
                raise broken(error) from error
    except BrokenError as error:
        trouble = error.trouble
    taken = (time.monotonic() - started) * 1000
    return Member(member.status, member.followers, participants, taken, member.protocol, sessionless=trouble)


def ask_doors(ask: AskDoors, means: Means) -> Doors:
    """Return what becomes of who has no certificate, or no TLS."""
    return Doors(_stranger(ask.address, means), tuple((port, _plain(ask.address, port, means)) for port in ask.ports))


def _stranger(address: Address, means: Means) -> Knock:
    meter = Meter(means.timeout)
    try:
        said, _ = _word(b"srvr", address, means, meter, metered(verifying(means.authorities), meter))
    except BrokenError as error:
        return turned_away(error)
    return Knock("accepted", "it answers") if said else Knock("refused", CLOSED)


def _plain(address: Address, port: int, means: Means) -> Knock:
    """Say what becomes of ``srvr`` without TLS. A port at which nobody answers at all is as good as closed."""
    meter = Meter(means.timeout)
    try:
        with dial(Address(address.name, port), means, meter) as link:
            data = b""
            with contextlib.suppress(OSError):
                link.sendall(b"srvr\n")  # five bytes: a TLS server waits for that many before it ends this
                data = link.recv(MAX_WORD)
    except BrokenError as error:
        closed = error.trouble.kind in NOBODY
        return Knock("refused" if closed else "failed", str(error.trouble))
    if data and not data.startswith(TLS_RECORDS):
        return Knock("accepted", "it answers without TLS")
    if port == address.port:
        return Knock("refused", "no answer without TLS")
    return Knock("accepted", "it is open, though nothing answers")
