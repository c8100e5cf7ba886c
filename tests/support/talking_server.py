"""Servers that say what a test wants, with TLS from the beginning, or after some words without it."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from diskimage_validator.endpoints import Address
from tests.support.tls_server import Serve, ServeTls, listening

TLS = b"<TLS>"
"""From here on there is TLS."""
HEAR = b"<HEAR>"
"""The server waits until the client says something."""
AGAIN = b"<AGAIN>"
"""The server repeats what it said last until nobody listens."""
SLOWLY = b"<SLOWLY>"
"""The same, with pauses."""
PAUSE = 0.05  # seconds


class Talk(Serve):
    """Says ``words``, one after the other; where one is a number, so many bytes of the client are waited for."""

    def __init__(self, context: ssl.SSLContext, words: Sequence[bytes | int]) -> None:
        super().__init__()
        self.context = context
        self.words = words

    def __call__(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as stack:
            last = b""
            for word in self.words:
                if word == TLS:
                    connection = stack.enter_context(self.context.wrap_socket(connection, server_side=True))
                elif isinstance(word, int):
                    self.received += connection.recv(word, socket.MSG_WAITALL)
                elif word == HEAR:
                    self.received += connection.recv(4096)
                elif word in (AGAIN, SLOWLY):
                    while True:
                        connection.sendall(last)
                        time.sleep(PAUSE if word == SLOWLY else 0)
                else:
                    connection.sendall(word)
                    last = word
            while data := connection.recv(4096):
                self.received += data


@contextlib.contextmanager
def talking(folder: Path, key: bytes, chain: Sequence[bytes], *words: bytes | int) -> Iterator[tuple[Address, Talk]]:
    """Run a server that says ``words`` on every connection."""
    talk = Talk(ServeTls(folder, key, chain).context, words)
    with listening(talk) as address:
        yield address, talk
