"""Programs that a thread runs one after the other, and that end at once when somebody else says so."""

import os
import re
import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from airgap_image_factory.errors import BuildError
from diskimage_validator.process import Limits
from diskimage_validator.process.beside import Service

LIMITS: Final = Limits(address_space=8 << 30, cpu_seconds=None)
"""For one program: sixteen coroutines with 2 MiB each, and the stacks and arenas of its threads."""

STALL: Final = 1800.0
"""Seconds without a word after which a program counts as hung. qemu-img -p speaks at every hundredth of its way."""

ENDING: Final = 10.0
"""Seconds that a program gets to end after it has closed its output."""

_PROGRESS: Final = re.compile(rb"\(([\d.]+)/100%\)")


class Stopped(Exception):  # noqa: N818 - no error: somebody else has one
    """The work is to end, because something else failed or a signal came."""


class StopSign:
    """Something that threads wait on beside their work: once put up, it stays up for all of them."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC)
        self.is_up = False

    def fileno(self) -> int:
        """Return a descriptor that is readable once the sign is up."""
        return self._read

    def put_up(self) -> None:
        """Tell everybody to end."""
        self.is_up = True
        os.write(self._write, b"x")

    def check(self) -> None:
        """Raise Stopped if the sign is up."""
        if self.is_up:
            raise Stopped

    def close(self) -> None:
        """Give the descriptors back, when nobody waits any more."""
        os.close(self._read)
        os.close(self._write)


@contextmanager
def stop_sign() -> Iterator[StopSign]:
    """Give a sign for the block."""
    sign = StopSign()
    try:
        yield sign
    finally:
        sign.close()


def run_program(
    command: Sequence[str], sign: StopSign, *, what: str, progress: Callable[[float], None] = lambda _: None
) -> None:
    """Run ``command`` to its end; ``progress`` is told the percentage that ``qemu-img -p`` prints.

    Raises BuildError, which begins with ``what`` and has the last line that the program said, if it fails or hangs,
    and Stopped if the sign goes up. It is ended on every path, and by the kernel if this process is killed.
    """
    sign.check()
    service = Service(command, limits=LIMITS, offline=False, talks=True)
    try:
        said = _listen(service, sign, what, progress)
        service.wait(ENDING)
    finally:
        service.stop()
        service.output.close()
    if service.status != 0:
        lines = [line.strip() for line in re.split(r"[\r\n]", said.decode(errors="replace")) if line.strip()]
        words = [line for line in lines if not _PROGRESS.fullmatch(line.encode())]
        raise BuildError(f"{what}: {words[-1] if words else f'{command[0]} ended with status {service.status}'}")


def _listen(service: Service, sign: StopSign, what: str, progress: Callable[[float], None]) -> bytes:
    """Read what ``service`` says until its end, and return the end of it."""
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(service.output, selectors.EVENT_READ)
        selector.register(sign, selectors.EVENT_READ)
        deadline = time.monotonic() + STALL
        while True:
            selector.select(max(0.0, deadline - time.monotonic()))
            sign.check()
            if time.monotonic() >= deadline:
                raise BuildError(f"{what}: {service.name} has not moved for {STALL:.0f} s", "is the storage there?")
            data = os.read(service.output.fileno(), 1 << 16)
            if not data:
                return said
            deadline = time.monotonic() + STALL
            said = (said + data)[-(1 << 16) :]
            if found := _PROGRESS.findall(data):
                progress(float(found[-1]))
