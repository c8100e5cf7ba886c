"""Pass TCP connections from the air gap's link on to the services, byte by byte, and count them."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from airgap_image_factory.airgap.service import Service
from airgap_image_factory.errors import BuildError

CHUNK = 64 * 1024


@dataclass
class Traffic:
    """What went through to one service. ``refused`` counts connections that the service did not take."""

    connections: int = 0
    refused: int = 0
    received: int = 0
    """Bytes from the service."""


class Forwarder:
    """Listens for each service at the address of its name; ``traffic`` is by service, as it is written."""

    def __init__(self, addresses: Mapping[str, str], services: Sequence[Service]) -> None:
        """Start listening, in a thread of its own. Raises BuildError if a port is taken."""
        self.traffic = {str(service): Traffic() for service in services}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        try:
            for service in services:
                listening = self._listen(addresses[service.name], service)
                asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        except OSError as error:
            self.close()
            raise BuildError(f"cannot listen for a service: {error}") from None

    async def _listen(self, address: str, service: Service) -> None:
        traffic = self.traffic[str(service)]

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            traffic.connections += 1
            try:
                upstream_reader, upstream_writer = await asyncio.open_connection(*service.target)
            except OSError:
                traffic.refused += 1
                writer.transport.abort()
                return
            try:
                both = _pump(reader, upstream_writer, None), _pump(upstream_reader, writer, traffic)
                await asyncio.gather(*both, return_exceptions=True)
            finally:
                writer.close()
                upstream_writer.close()

        await asyncio.start_server(serve, address, service.port)

    def close(self) -> None:
        """Stop listening and drop what is still connected."""

        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, traffic: Traffic | None) -> None:
    """Copy until the end of ``reader``, then say so to ``writer``: the other direction may go on."""
    try:
        while data := await reader.read(CHUNK):
            if traffic is not None:
                traffic.received += len(data)
            writer.write(data)
            await writer.drain()
    finally:
        with suppress(OSError, RuntimeError):
            writer.write_eof() if writer.can_write_eof() else writer.close()
