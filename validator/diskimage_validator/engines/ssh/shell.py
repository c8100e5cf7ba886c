"""One shell on the node that lives as long as the connection, and a frame around every command that it is given.

A command runs under timeout(1) and its output through head(1), so that the node itself ends what takes too long or
says too much; a mark, made of random bytes, follows on both outputs with the exit status. Should a node not keep to
that, the shell is closed here, and a new one is started for the next command. What a command leaves running is not
waited for longer than that, and a shell whose connection is gone ends by itself, at the end of its input.
"""

import re
import secrets
import selectors
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from paramiko import Channel
from paramiko.ssh_exception import SSHException

from diskimage_validator.errors import EngineError
from diskimage_validator.printable import printable
from diskimage_validator.process import LOCALE

GRACE: Final = 15.0
"""Seconds that the node may take longer than the time limit of a command, to say that it is over."""
LOOK_AGAIN: Final = 0.2
"""Seconds after which we look by ourselves whether something arrived. paramiko wakes whoever waits for a channel by one
pipe for both outputs, which it clears without a lock over the two (``OrPipe`` in its pipe.py): if one is read up while
the other arrives, the wake-up can be lost, in about one of 1,500 commands here."""
MAX_ERRORS: Final = 64 * 1024
"""Bytes of standard error that are kept."""
TIMED_OUT: Final = 124
KILLED: Final = 137
"""Exit statuses of timeout(1)."""
SETUP: Final = f"LC_ALL=C; PATH={LOCALE['PATH']}; export LC_ALL PATH; unset ENV BASH_ENV IFS"
START: Final = SETUP + "; printf '\\n%s 0\\n' {mark}; printf '\\n%s \\n' {mark} >&2\n"
FRAME: Final = (
    "{{ s=$({{ {{ timeout -k 5 {seconds} {command} <&6 2>&4 3>&- 4>&- 5>&- 6<&-; echo $? >&3; }} | "
    "head -c {limit} >&5; }} 3>&1); }} 5>&1 4>&2 6<{given}; printf '\\n%s %s\\n' {mark} \"$s\"; "
    "printf '\\n%s \\n' {mark} >&2\n"
)


class ShellError(EngineError):
    """There is no shell on the node, or it died."""


class Shell:
    """A POSIX shell on the node. ``command`` starts it, e.g. ``sh``; ``open_channel`` gives a session for that."""

    def __init__(self, open_channel: Callable[[], Channel], command: str, *, timeout: float) -> None:
        self._open = open_channel
        self._command = command
        self._timeout = timeout
        self._mark = secrets.token_hex(16)
        self._channel: Channel | None = None

    def close(self) -> None:
        """End the shell. The next command starts a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def start(self) -> Channel:
        """Return the session of the shell; start it unless it runs. Raises ShellError, with what it said."""
        if self._channel is not None:
            return self._channel
        channel = self._channel = self._open()
        try:
            try:
                channel.exec_command(self._command)
                channel.sendall(START.format(mark=self._mark).encode())
            except (SSHException, OSError, EOFError) as error:
                raise ShellError(f"no shell on the node: {error or type(error).__name__}") from error
            # Whatever comes before the mark is what start-up files print.
            self._receive(channel, self._timeout, MAX_ERRORS)
        except BaseException:
            self.close()
            raise
        return channel

    def run(
        self, command: Sequence[str], *, timeout: float, limit: int, stdin: bytes = b""
    ) -> tuple[int, bytes, bytes]:
        """Run ``command``; return exit status, standard output and standard error.

        ``timeout`` is in seconds, ``limit`` the bytes of output that are allowed; ``stdin`` is text, and ends with a
        line. Raises EngineError if time or limit are exceeded, ShellError if there is no shell.
        """
        channel = self.start()
        words = shlex.join(command)
        given = f"<'{self._mark}'" if stdin else "/dev/null"
        frame = FRAME.format(
            seconds=max(1, round(timeout)), command=words, limit=limit + 1, mark=self._mark, given=given
        ).encode("utf-8", "surrogateescape")
        if stdin and not stdin.endswith(b"\n"):
            raise ValueError("standard input is lines of text")
        if stdin:
            # A here-document: it is on no command line, and ends with a line that nobody can guess. Shells pass it by a
            # pipe; bash before 5.1 by a file under TMPDIR that only the account can read, and that has no name by then.
            frame += stdin + f"{self._mark}\n".encode()
        started = time.monotonic()
        try:
            try:
                channel.sendall(frame)
            except (SSHException, OSError, EOFError) as error:
                raise ShellError(f"the shell on the node is gone: {error or type(error).__name__}") from error
            status, output, errors = self._receive(channel, timeout + GRACE, limit)
        except BaseException:
            self.close()
            raise
        if len(output) > limit:
            raise EngineError(f"{command[0]}: more than {limit} bytes of output")
        if status in (TIMED_OUT, KILLED) and time.monotonic() - started >= timeout:
            raise EngineError(f"{command[0]} did not finish within {timeout:.0f} s")
        return status, output, errors

    def _receive(self, channel: Channel, seconds: float, limit: int) -> tuple[int, bytes, bytes]:
        """Return what comes before the marks on both outputs."""
        out, err = bytearray(), bytearray()
        mark = re.compile(rb"\n%s ([0-9]*)\n\Z" % self._mark.encode())
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(channel, selectors.EVENT_READ)
            while True:
                # Both are asked before either is read: what arrives later is for the next round.
                ended = channel.closed or channel.eof_received
                while channel.recv_ready():
                    out += channel.recv(1 << 16)
                    if len(out) > limit + MAX_ERRORS:
                        raise ShellError("the node sends more than was asked for")
                while channel.recv_stderr_ready():
                    err += channel.recv_stderr(1 << 16)
                    del err[MAX_ERRORS:-256]
                done = mark.search(out, max(0, len(out) - 64))
                if done and mark.search(err, max(0, len(err) - 64)):
                    errors = bytes(err[: err.rindex(b"\n" + self._mark.encode())])
                    return int(done[1] or 1), bytes(out[: done.start()]), errors
                if ended:
                    raise ShellError(f"{self._command}: {_said(channel, err or out)}")
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise ShellError(f"the node did not answer within {seconds:.0f} s")
                selector.select(min(remaining, LOOK_AGAIN))


def _said(channel: Channel, text: bytearray) -> str:
    """Return the last line of what a shell said before it ended."""
    lines = bytes(text).decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    with suppress(SSHException):
        last = last or f"it ended with status {channel.recv_exit_status()}"
    return printable(last, 200)
