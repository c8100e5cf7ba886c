"""Questions to one resolver each: UDP first, TCP where an answer was cut off (RFC 7766), by dnspython."""

import ipaddress
import socket
import time
from functools import partial
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.reversename

from diskimage_validator.endpoints import Address
from diskimage_validator.readiness.facts.dns import AskName, AskReverse, Lookup, Reverse
from diskimage_validator.readiness.parallel import answers
from diskimage_validator.readiness.probes.means import Means

ATTEMPTS: Final = 3
"""How often a question is sent by UDP, which may lose it."""
MAX_RECORDS: Final = 100


class NoAnswerError(Exception):
    """A resolver gave no answer that can be used; the text says why, as a sentence."""


def ask_name(ask: AskName, means: Means) -> Lookup:
    """Return what the resolver says of a name. The status is that of the question about A records."""
    return look_up(ask.resolver, ask.name, means.timeout)


def look_up(resolver: Address, name: str, timeout: float) -> Lookup:
    """Return the addresses of ``name`` at ``resolver``; ``timeout`` is for both families together, in seconds."""
    deadline = time.monotonic() + timeout
    found: list[str] = []
    status = alias = ""
    try:
        for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            query = dns.message.make_query(name, kind)
            response = _exchange(query, resolver, deadline, timeout)
            status = status or dns.rcode.to_text(response.rcode())
            if response.rcode() != dns.rcode.NOERROR:
                continue
            chain = response.resolve_chaining()
            if chain.answer is not None:
                found += [record.address for record in list(chain.answer)[:MAX_RECORDS]]
                if chain.cnames:
                    alias = chain.canonical_name.to_text(omit_final_dot=True)
    except (NoAnswerError, dns.exception.DNSException) as error:
        return Lookup(trouble=f"no answer: {error}")
    ordered = sorted(map(ipaddress.ip_address, found), key=lambda ip: (ip.version, ip))
    return Lookup(status, tuple(dict.fromkeys(map(str, ordered))), alias)


def ask_reverse(ask: AskReverse, means: Means) -> Reverse:
    """Return what the resolver says of an address."""
    query = dns.message.make_query(dns.reversename.from_address(ask.ip), dns.rdatatype.PTR)
    try:
        response = _exchange(query, ask.resolver, time.monotonic() + means.timeout, means.timeout)
        status = dns.rcode.to_text(response.rcode())
        answer = response.resolve_chaining().answer if response.rcode() == dns.rcode.NOERROR else None
    except (NoAnswerError, dns.exception.DNSException) as error:
        return Reverse(trouble=f"no answer: {error}")
    names = [record.target.to_text(omit_final_dot=True).lower() for record in list(answer or ())[:MAX_RECORDS]]
    return Reverse(status, tuple(sorted(names)))


def _exchange(
    query: dns.message.Message, resolver: Address, deadline: float, timeout: float
) -> dns.message.QueryMessage:
    """Return the answer to ``query``. Raises NoAnswerError, or what dnspython raises for a damaged answer."""
    port = resolver.port or 0
    silent = f"{resolver} was silent for {timeout:.3g} s"
    for attempt in range(ATTEMPTS):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            return _checked(_by_udp(query, resolver.name, port, left / (ATTEMPTS - attempt)))
        except dns.message.Truncated:
            try:
                left = max(0.1, deadline - time.monotonic())
                return _checked(dns.query.tcp(query, resolver.name, timeout=left, port=port))
            except (OSError, EOFError) as error:
                raise NoAnswerError(f"the answer is too long for UDP, and TCP fails: {error}") from error
        except dns.exception.Timeout:
            continue
        except OSError as error:
            raise NoAnswerError(f"{resolver}: {error.strerror or error}") from error
    raise NoAnswerError(silent)


def _by_udp(query: dns.message.Message, host: str, port: int, timeout: float) -> dns.message.Message:
    """Ask once. The socket is connected, for only then the kernel tells that nobody listens there (udp(7))."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.setblocking(False)
        link.connect((host, port))
        return dns.query.udp(query, host, timeout, port, raise_on_truncation=True, sock=link)


def _checked(response: dns.message.Message) -> dns.message.QueryMessage:
    if not isinstance(response, dns.message.QueryMessage) or not response.flags & dns.flags.QR:
        raise NoAnswerError("what came back is no answer")
    return response


def address_of(name: str, resolvers: tuple[Address, ...], timeout: float) -> str:
    """Return an address of ``name``, by the first resolver that has one to give. Raises NoAnswerError.

    Without ``resolvers`` those of this host are asked (resolv.conf(5)). All are asked side by side: one that is silent
    takes nothing of the time in which the others answer, and of what its caller still has to do.
    """
    try:
        asked = resolvers or tuple(Address(str(host), 53) for host in dns.resolver.Resolver().nameservers)
    except dns.resolver.NoResolverConfiguration as error:
        raise NoAnswerError("this host has no resolver, and the factory names none") from error
    said: dict[Address, Lookup] = {}
    for resolver, found in answers(asked, partial(_told, name=name, timeout=timeout), len(asked)):
        if found.addresses:
            return found.addresses[0]
        said[resolver] = found
    raise NoAnswerError(f"{name} does not resolve ({'; '.join(f'{one}: {said[one]}' for one in asked)})")


def _told(resolver: Address, name: str, timeout: float) -> Lookup:
    """Return what look_up returns, and also where an answer breaks it: the others must not wait for that in vain."""
    try:
        return look_up(resolver, name, timeout)
    except Exception as error:
        return Lookup(trouble=f"no answer that can be read ({type(error).__name__})")
