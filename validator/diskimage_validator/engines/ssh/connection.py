"""From a destination to an SSH connection: through jump hosts, with every host key checked before anybody logs in."""

import logging
import socket
from collections.abc import Callable
from typing import Final

from paramiko import Channel, PKey, Transport
from paramiko.ssh_exception import SSHException

from diskimage_validator.engines.ssh.hops import Hop, find_hops
from diskimage_validator.engines.ssh.host_keys import algorithms, known_keys, parse_pin, verify
from diskimage_validator.engines.ssh.login import log_in
from diskimage_validator.engines.ssh.options import Destination, SshOptions
from diskimage_validator.errors import EngineError

KEEPALIVE: Final = 15
Progress = Callable[[str], None]

# It logs tracebacks of what it raises as well; without a handler Python would print those on stderr.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Connection:
    """An SSH connection to ``destination``, where the account is logged in. ``close`` ends it and all on the way."""

    def __init__(self, destination: Destination, options: SshOptions, *, progress: Progress | None = None) -> None:
        """Connect. Raises UsageError for options that make no sense, EngineError if there is no way in."""
        self._options = options
        self._transports: list[Transport] = []
        pins = [parse_pin(text) for text in options.host_keys]
        hops = find_hops(destination, options)
        self.hop = hops[-1]
        try:
            for hop in hops:
                if progress:
                    progress(f"connecting to {hop}")
                transport = self._start(hop)
                known = known_keys(hop, pins, last=hop is hops[-1])
                security = transport.get_security_options()
                security.key_types = algorithms(known, security.key_types)
                verify(hop, self._shake_hands(transport, hop), known)
                log_in(transport, hop, stated=options.key is not None)
                transport.set_keepalive(KEEPALIVE)
        except BaseException:
            self.close()
            raise

    @property
    def transport(self) -> Transport:
        """The connection to the destination itself. Raises EngineError if it is closed."""
        if not self._transports:
            raise EngineError(f"{self.hop}: the connection is closed", "is the node up? try again")
        return self._transports[-1]

    def open_channel(self) -> Channel:
        """Return a new session. Raises EngineError if the server gives none."""
        try:
            channel = self.transport.open_session(timeout=self._options.timeout)
        except (SSHException, OSError, EOFError) as error:
            hint = "are sessions allowed there (MaxSessions in sshd_config), and is the node up?"
            raise EngineError(f"{self.hop}: no session: {_words(error)}", hint) from error
        channel.settimeout(self._options.timeout)
        return channel

    def close(self) -> None:
        """Hang up, the last connection first. Calling it twice is harmless."""
        while self._transports:
            self._transports.pop().close()

    def _start(self, hop: Hop) -> Transport:
        """Reach ``hop``: directly, or from the server before it."""
        timeout = self._options.timeout
        try:
            link: socket.socket | Channel
            if self._transports:
                there, here = (hop.host, hop.port), ("127.0.0.1", 0)
                link = self.transport.open_channel("direct-tcpip", there, here, timeout=timeout)
            else:
                link = socket.create_connection((hop.host, hop.port), timeout)
        except (SSHException, OSError, EOFError) as error:
            way = " from its jump host" if self._transports else ""
            hint = "is it up, does its sshd listen on that port, and do names, routes and firewalls lead there?"
            raise EngineError(f"cannot reach {hop.host} port {hop.port}{way}: {_words(error)}", hint) from error
        try:
            transport = Transport(link)
        except BaseException:
            link.close()
            raise
        self._transports.append(transport)
        transport.banner_timeout = transport.handshake_timeout = timeout
        transport.auth_timeout = transport.channel_timeout = timeout
        return transport

    def _shake_hands(self, transport: Transport, hop: Hop) -> PKey:
        """Return the key of the server."""
        try:
            # Beyond the time limits for greeting and handshake: when this one ends, there is no error that says why.
            transport.start_client(timeout=3 * self._options.timeout)
            return transport.get_remote_server_key()
        except (SSHException, OSError, EOFError) as error:
            hint = "is that an SSH server that is not busy (MaxStartups), with ciphers that paramiko has?"
            raise EngineError(f"{hop}: no SSH connection: {_words(error)}", hint) from error


def _words(error: Exception) -> str:
    """Return what ``error`` says; some of them say nothing but their name."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
