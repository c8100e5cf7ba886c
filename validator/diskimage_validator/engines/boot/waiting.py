"""Wait for a machine that boots: for the first word of its sshd, and with a word about it now and then.

The first host key is taken as the node's own, and pinned for the rest of the run. That is safe here, and only here:
QEMU itself bound the port, on loopback, and told it to us over a channel that nobody else has; what answers there is
our machine, whose network is closed. There is no way on which somebody could be in the middle.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Final

from paramiko import Transport
from paramiko.ssh_exception import SSHException

from diskimage_validator.engines.boot.machine import Machine, Progress
from diskimage_validator.errors import EngineError
from diskimage_validator.printable import printable

ATTEMPT: Final = 5.0
"""Seconds to wait for a banner on one connection. QEMU accepts it before the guest has a network, and then repeats its
own side of it ever less often, so a new one is faster than the old one."""
LONG_ATTEMPT: Final = 30.0
"""The same, for a machine that has taken half of its time already."""
PAUSE: Final = 0.2
HANDSHAKE: Final = 60.0
SHOWN: Final = 100
"""Characters of the console's last line in a word about it."""
TICK: Final = 2.5
"""Seconds between two words about what the console says; a terminal shows a step after two."""

# It logs a traceback for every connection that a machine that is still starting closes.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


def wait_for_host_key(machine: Machine, timeout: float) -> str:
    """Return the host key of the node's sshd, ``TYPE BASE64``, as soon as it answers.

    ``timeout`` is in seconds since power-on. Raises EngineError after that, and what ``machine.check`` raises.
    """
    while machine.seconds < timeout:
        machine.check()
        patience = ATTEMPT if machine.seconds < timeout / 2 else LONG_ATTEMPT
        try:
            with closing(socket.create_connection(("127.0.0.1", machine.port), ATTEMPT)) as link:
                if _answers(link, machine, min(patience, timeout - machine.seconds)):
                    return _host_key(link)
        except (SSHException, OSError, EOFError):
            pass
        time.sleep(PAUSE)
    raise EngineError(
        f"no SSH server answers within {timeout:.0f} s\n{machine.last_words()}",
        "see the whole of it with --serial-log FILE; a slow host may need a longer --boot-timeout",
    )


def _answers(link: socket.socket, machine: Machine, patience: float) -> bool:
    """Whether a banner comes within ``patience`` seconds. It stays unread."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        machine.check()
        machine.skip_menu()
        if select.select([link], [], [], PAUSE)[0]:
            return link.recv(4, socket.MSG_PEEK) == b"SSH-"
    return False


def _host_key(link: socket.socket) -> str:
    transport = Transport(link)
    try:
        transport.banner_timeout = transport.handshake_timeout = HANDSHAKE
        transport.start_client(timeout=HANDSHAKE)
        key = transport.get_remote_server_key()
    finally:
        transport.close()
    return f"{key.get_name()} {key.get_base64()}"


@contextmanager
def telling(machine: Machine, progress: Progress | None) -> Iterator[None]:
    """Tell ``progress`` what the console says, again and again, until the block ends."""
    if progress is None:
        yield
        return
    over = threading.Event()

    def tell() -> None:
        told = ""
        while not over.is_set():
            line = machine.last_line()
            if line != told:
                told = line
                shown = printable(line, SHOWN)
                progress(f"booting under {machine.accelerator.upper()}, {machine.seconds:.0f} s: {shown}")
            over.wait(TICK)

    thread = threading.Thread(target=tell, name="progress of the boot", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
