"""A statsd that only listens: what a program reports over UDP, as text."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Statsd:
    """``port`` of 127.0.0.1; ``lines`` are all metrics up to now, ``name:value|type``."""

    port: int
    lines: list[str] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Return the values of a metric in the order in which they came."""
        return [line.split(":")[1].split("|")[0] for line in self.lines if line.startswith(f"{name}:")]


@contextlib.contextmanager
def statsd() -> Iterator[Statsd]:
    """Listen until the block ends."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0.2)
        running = Statsd(listener.getsockname()[1])
        over = threading.Event()

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    running.lines.extend(listener.recv(65536).decode().splitlines())

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield running
        finally:
            over.set()
            thread.join()
