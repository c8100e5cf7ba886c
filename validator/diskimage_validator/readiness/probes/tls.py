"""TLS handshakes: to see what a server presents (OpenSSL, unverified, nothing is sent), and as a client (verified)."""

import contextlib
import re
import ssl
from typing import Final

from diskimage_validator.chain_fetch import HTTPS, FetchError, fetch_session
from diskimage_validator.endpoints import Address
from diskimage_validator.readiness.facts.tls import AskMutual, AskTls, Handshake, Knock, Mutual
from diskimage_validator.readiness.probes.authorities import verifying
from diskimage_validator.readiness.probes.clients import load_client
from diskimage_validator.readiness.probes.dns import NoAnswerError, address_of
from diskimage_validator.readiness.probes.links import (
    CLOSED,
    ENDED,
    BrokenError,
    Meter,
    broken,
    dial,
    secure,
    turned_away,
)
from diskimage_validator.readiness.probes.means import Means

PROTOCOLS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
"""As OpenSSL calls them, the oldest first. SSLv3 is no longer in it at all."""
REFUSALS: Final = frozenset({400, 401, 403, 495, 496})
"""Statuses with which web servers refuse a client for its certificate; the last two are nginx's own."""
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_NO_PROTOCOL: Final = "no protocols available"


def ask_tls(ask: AskTls, means: Means) -> Handshake:
    """Return what a server presents, and whether it takes older protocols. Raises EngineError without openssl."""
    try:
        ip = _ip_of(ask, means)
        session = fetch_session(ask.address, ip=ip, timeout=means.timeout)
    except (FetchError, NoAnswerError) as error:
        return Handshake(trouble=str(error))
    older = PROTOCOLS[: PROTOCOLS.index(ask.oldest)]
    taken = {protocol: _takes(protocol, ask.address, ip, means.timeout) for protocol in older}
    old = tuple(protocol for protocol, answer in taken.items() if answer)
    return Handshake(session.chain, session.protocol, old, tuple(one for one in older if taken[one] is None))


def _ip_of(ask: AskTls | AskMutual, means: Means) -> str:
    """Return where to connect to. Raises NoAnswerError if the name does not resolve."""
    if ask.ip or ask.address.ip:
        return ask.ip or ask.address.name
    return address_of(ask.address.name, means.resolvers, means.timeout)


def _takes(protocol: str, address: Address, ip: str, timeout: float) -> bool | None:
    """Offer ``protocol`` alone, with every cipher: see SSL_CTX_set_security_level(3). None if OpenSSL has it not.

    Of a range OpenSSL would take only the newest: a server that knows TLSv1 and TLSv1.2 seems to have been tampered
    with on the way, then (RFC 8446, 4.1.3).
    """
    options = ["-min_protocol", protocol, "-max_protocol", protocol, "-cipher", "ALL:@SECLEVEL=0"]
    try:
        return bool(fetch_session(address, ip=ip, timeout=timeout, options=options).protocol)
    except FetchError as error:
        return None if _NO_PROTOCOL in error.message else False


def ask_mutual(ask: AskMutual, means: Means) -> Mutual:
    """Return what becomes of a client with the certificate, and of one without. Raises UsageError for bad files."""
    known, stranger = verifying(means.authorities), verifying(means.authorities)
    load_client(known, ask.certificate, ask.key, means.folder)
    try:
        ip = _ip_of(ask, means)
    except NoAnswerError as error:
        failed = Knock("failed", str(error))
        return Mutual(failed, failed)
    return Mutual(_knock(known, ask, ip, means), _knock(stranger, ask, ip, means))


def _knock(context: ssl.SSLContext, ask: AskMutual, ip: str, means: Means) -> Knock:
    try:
        link = dial(Address(ip, ask.address.port or HTTPS), means, Meter(means.timeout))
        with secure(link, ask.address, context) as tls:
            tls.settimeout(means.timeout)  # all of it: that somebody stays silent is an answer
            try:
                return _answer(tls, ask.address, http=ask.http)
            except OSError as error:
                raise broken(error) from error
    except BrokenError as error:
        if isinstance(error.__cause__, ENDED):  # in the handshake: that may become of everybody
            return Knock("failed", error.trouble.text)
        return turned_away(error)


def _answer(tls: ssl.SSLSocket, address: Address, *, http: bool) -> Knock:
    """Say what comes after the handshake: in TLS 1.3 a client is refused only then (RFC 8446, 4.4.2.4)."""
    if http:
        with contextlib.suppress(OSError):  # who refused us has left, perhaps: why, is still to be read
            tls.sendall(f"HEAD / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
    try:
        data = tls.recv(4096)
    except TimeoutError:
        if http:
            return Knock("failed", "no answer to HEAD /")
        return Knock("accepted", "the connection stays open")
    if not http:
        return Knock("accepted", "the server speaks") if data else Knock("accepted", "the server closes it in order")
    if not data:
        return Knock("refused", CLOSED)
    status = _STATUS.match(data)
    if not status:
        return Knock("failed", "what answers HEAD / does not speak HTTP")
    code = int(status[1])
    return Knock("refused" if code in REFUSALS else "accepted", f"HTTP status {code}")
