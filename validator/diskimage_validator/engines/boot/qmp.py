"""The few words of QEMU's Machine Protocol that a boot needs: qemu-qmp-ref(7).

The channel is one end of a socket pair that QEMU inherits the other end of, so there is no socket in the file system
and nobody else can speak on it.
"""

import json
import re
import socket
from typing import Any, Final

from diskimage_validator.errors import EngineError

TIMEOUT: Final = 30.0
"""Seconds for one answer. QEMU answers at once, unless the host is very busy."""
MAX_ANSWER: Final = 1024 * 1024
_FORWARD: Final = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)")


class Qmp:
    """A channel to one QEMU. Raises EngineError if it does not answer as it should."""

    def __init__(self, channel: socket.socket) -> None:
        channel.settimeout(TIMEOUT)
        self._channel = channel
        self._reader = channel.makefile("rb")
        self._receive()  # the greeting
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: str) -> Any:
        """Run a command and return what it returns. Events that come in between are passed over."""
        message = json.dumps({"execute": command, "arguments": arguments})
        try:
            self._channel.sendall(message.encode() + b"\n")
        except OSError as error:
            raise EngineError(f"QEMU does not listen: {error.strerror or error}") from error
        while True:
            answer = self._receive()
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise EngineError(f"QEMU: {command}: {answer['error'].get('desc', '')}")

    def forwarded_port(self, guest_port: int) -> int:
        """Return the port on 127.0.0.1 that QEMU itself bound, with ``hostfwd=tcp:127.0.0.1:0-:PORT``."""
        text = str(self.execute("human-monitor-command", **{"command-line": "info usernet"}))
        for host, guest in _FORWARD.findall(text):
            if int(guest) == guest_port:
                return int(host)
        raise EngineError(f"QEMU does not forward to port {guest_port} of the machine")

    def close(self) -> None:
        """Close the channel."""
        self._reader.close()
        self._channel.close()

    def _receive(self) -> dict[str, Any]:
        try:
            line = self._reader.readline(MAX_ANSWER)
            answer = json.loads(line) if line else None
        except (OSError, ValueError) as error:
            raise EngineError(f"QEMU does not answer: {error}") from error
        if not isinstance(answer, dict):
            raise EngineError("QEMU has ended")
        return answer
