"""A file that is written into a folder, and asked for where a web server serves that folder."""

import posixpath
import secrets
import time
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import ValidatorError
from diskimage_validator.printable import printable
from diskimage_validator.process import NOT_FOUND
from diskimage_validator.readiness.facts.pages import AskWebPath, WebPath
from diskimage_validator.readiness.probes.http import Reply, ask_http
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means

PREFIX: Final = "readiness-"
"""What the names of all such files begin with."""
INTERVAL: Final = 0.5
"""Seconds between two requests."""
_WRITE: Final = 'umask 022 && set -C && printf "%s\\n" "$1" > "$2"'
"""With -C the shell opens the file with O_EXCL (POSIX, set): no file and no link that is there is written to."""


def ask_web_path(ask: AskWebPath, means: Means) -> WebPath:
    """Return whether a file is served. Raises a ValidatorError if the system with the folder cannot be asked."""
    word = secrets.token_hex(16)
    name = f"{PREFIX}{word}.txt"
    url, file = f"{ask.url}/{name}", posixpath.join(ask.path, name)
    with open_target(ask.node, ssh=means.ssh) as engine:
        try:
            # Asked too early, as somebody does who waits for a log: a cache that keeps that answer is found out.
            early = ask_http(means, "GET", url, whole=False)
        except BrokenError as error:
            return WebPath(trouble=f"no file was written: {error}")
        content = f"{word} readiness"
        with means.traces.leaving():
            try:
                trouble = _said(engine, ["sh", "-c", _WRITE, "sh", content, file], means.timeout)
                if trouble:
                    return WebPath(
                        trouble=f"cannot write into {ask.path}: {trouble}", left=_remove(engine, file, means)
                    )
                seconds, trouble = _wait(ask, means, url, content, early)
            except BaseException:
                _remove(engine, file, means)
                raise
            return WebPath(seconds, trouble, _remove(engine, file, means))


def _wait(ask: AskWebPath, means: Means, url: str, content: str, early: Reply) -> tuple[float | None, str]:
    """Return after how many seconds the file is served, or why it is not."""
    began = time.monotonic()
    while True:
        trouble = _differs(means, url, content, early)
        taken = time.monotonic() - began
        if not trouble:
            return taken, ""
        if taken + INTERVAL > ask.seconds:
            return None, f"{trouble}, {taken:.1f} s after the file was written"
        if not means.traces.rest(INTERVAL):
            return None, "interrupted"


def _differs(means: Means, url: str, content: str, early: Reply) -> str:
    try:
        reply = ask_http(means, "GET", url, whole=False)
    except BrokenError as error:
        return str(error)
    if reply.status != 200:
        again = ", as before it was written" if reply.status == early.status else ""
        return f"the file is not served: {reply.said}{again}"
    if reply.body != content.encode() + b"\n":
        return "something else is served: what every name gets" if early.status == 200 else "something else is served"
    return ""


def _remove(engine: Engine, file: str, means: Means) -> str:
    """Remove the file and return what is left: its name and why, or nothing. A file that never was there is gone."""
    trouble = _said(engine, ["rm", "-f", "--", file], means.timeout)
    return f"{file} is left there: {trouble}" if trouble else ""


def _said(engine: Engine, command: list[str], timeout: float) -> str:
    """Run a command and return what is wrong with it, or nothing."""
    try:
        done = engine.run(command, timeout=timeout)
    except ValidatorError as error:
        return error.message
    if done.status == NOT_FOUND:
        return f"{command[0]}: not found"
    lines = done.stderr.strip().splitlines()
    return printable(lines[-1] if lines else f"exit status {done.status}", 200) if done.status else ""
