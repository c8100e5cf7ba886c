"""One connection of the guest to a service of the host: ``python relay.py HOST PORT``, which QEMU starts.

Standard input and output are the guest's connection, a socket. Nothing is imported but the standard library: this is a
program of its own. It ends when both sides have said everything, or one of them is gone, or silent for IDLE seconds.
"""

import contextlib
import select
import socket
import sys
from typing import Final

IDLE: Final = 600.0
CONNECT_TIMEOUT: Final = 30.0
CHUNK: Final = 64 * 1024


def relay(guest: socket.socket, service: socket.socket) -> None:
    """Carry bytes both ways until both sides have ended theirs."""
    ways = {guest: service, service: guest}
    while ways:
        ready, _, _ = select.select(list(ways), [], [], IDLE)
        if not ready:
            return
        for source in ready:
            try:
                data = source.recv(CHUNK)
                if data:
                    ways[source].sendall(data)
                    continue
            except OSError:
                return
            with contextlib.suppress(OSError):
                ways.pop(source).shutdown(socket.SHUT_WR)


def main() -> None:
    """Connect to HOST and PORT and carry what comes."""
    with socket.socket(fileno=0) as guest:
        try:
            service = socket.create_connection((sys.argv[1], int(sys.argv[2])), CONNECT_TIMEOUT)
        except OSError:
            return
        service.settimeout(None)
        with service:
            relay(guest, service)


if __name__ == "__main__":
    main()
