"""What a build is made from, as one digest: while it stays the same, a policy that failed is going to fail again.

An input that is not seen holds a mended build back for a day; one that is seen for nothing costs one build. So all of
the environment counts but for what is known to be another in every call, and links are followed.
"""

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from diskimage_builder import paths

from airgap_image_factory.gate.options import Invocation
from airgap_image_factory.gate.settings import PREFIX, Settings
from diskimage_validator.policy_model import Policy
from diskimage_validator.release import VERSION

READ_WHOLE: Final = 1 << 20
"""Bytes: of a greater file size and time of change count, e.g. of a base image that a variable names."""
MAX_FILES: Final = 20_000
"""Files below one folder that are looked at."""
OF_THIS_CALL: Final = re.compile(
    # Nodepool's and the caller's words for the files of this build
    rf"{PREFIX}\w+|DIB_IMAGE_FILENAME|IMAGE_NAME|LOGFILE"
    # the shell, and where it runs
    r"|_|(OLD)?PWD|SHLVL|HOSTNAME|TE?MP|TMP_?DIR|TERM|COLUMNS|LINES|WINDOWID|TMUX(_\w+)?|STY"
    # the session: ssh(1), sudo(8), pam_systemd(8)
    r"|SSH_\w+|SUDO_\w+|XDG_SESSION_\w+|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS"
    # the unit: systemd.exec(5), "Environment Variables Set or Propagated by the Service Manager"
    r"|INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|(MAIN|MANAGER)PID|NOTIFY_SOCKET|WATCHDOG_\w+|LISTEN_\w+"
    r"|MEMORY_PRESSURE_\w+|CREDENTIALS_DIRECTORY"
)
"""Names of variables that are no input."""
WRITTEN: Final = re.compile(r"(^|_)([A-Z]*CACHE|LOCK(FILES?)?|SAVE|TMP|LOGS?)(_|$)")
"""In the names of variables whose folders a build writes to, such as DIB_IMAGE_CACHE: what is in there is no input."""
UNSEEN: Final = frozenset({".git", "__pycache__"})
VOLATILE: Final = ("/dev/", "/proc/", "/sys/")
"""What lies there is no file that somebody has written: its name counts, nothing else."""

_BETWEEN_NAMES: Final = re.compile(r"[\s:,;=]+")


def digest_of_inputs(
    invocation: Invocation, settings: Settings, policy: Policy, environment: Mapping[str, str], elements_path: str
) -> str:
    """Return a sha256 over all that decides about the image and the verdict, as lower-case hex.

    These are the elements of ``elements_path`` (a list with colons) and diskimage-builder's own, all of them with every
    file; the policy as it is resolved; the CA files; the formats and options; the environment, but for
    ``OF_THIS_CALL``; the files that a variable names (a site file, a list of mirrors, pip's configuration), and the
    folders that one of diskimage-builder's does. A name has a slash in it; a symbolic link counts, and so does what it
    leads to. A file that cannot be read counts as what it is: unreadable.
    """
    digest = hashlib.sha256()

    def add(*parts: str) -> None:
        for part in parts:
            data = part.encode(errors="surrogateescape")
            digest.update(b"%d:" % len(data))
            digest.update(data)

    add(VERSION, policy.digest, settings.engine, settings.threshold, settings.qemu_img_options or "")
    add(*invocation.formats, str(invocation.compress), invocation.qemu_img_options, *_options(invocation.passed))
    add(*invocation.elements)
    folders = [*elements_path.split(":"), paths.get_path("elements")]
    for row in _rows(Path(folder) for folder in dict.fromkeys(folders) if folder):
        add(*row)
    for row in _rows(settings.authorities):
        add(*row)
    for name, value in sorted(environment.items()):
        if OF_THIS_CALL.fullmatch(name):
            continue
        add(name, value)
        if not WRITTEN.search(name):
            for row in _rows(_named(value), enter=name.startswith("DIB_")):
                add(*row)
    return digest.hexdigest()


def _options(passed: Sequence[str]) -> Iterator[str]:
    """Yield the options without the name of the log file, which may be another for every build."""
    words = iter(passed)
    for word in words:
        if word == "--logfile":
            next(words)
        else:
            yield word


def _named(value: str) -> Iterator[Path]:
    """Yield what a variable may name: one file, a list of them, or a ``file://`` as in DIB_BLOCK_DEVICE_CONFIG."""
    for word in dict.fromkeys([value, *_BETWEEN_NAMES.split(value)]):
        if "/" in word:
            yield Path(word)


def _rows(places: Iterable[Path], *, enter: bool = True) -> Iterator[tuple[str, ...]]:
    """Yield (path, mode, content) of each of ``places`` and, to ``enter`` folders, of all that lies below it."""
    for place in places:
        yield _row(place)
        if enter and not _is_volatile(str(place)):
            yield from map(_row, islice(_below(place), MAX_FILES))


def _below(top: Path) -> Iterator[Path]:
    """Yield what lies below the folder ``top``; a folder that more than one name leads to only the first time."""
    seen: set[tuple[int, int]] = set()
    left = [top]
    while left:
        folder = left.pop()
        try:
            status = folder.stat()
            if not stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
                continue
            inside = sorted(folder.iterdir())
        except OSError:  # a row of its own says that it cannot be read
            continue
        seen.add((status.st_dev, status.st_ino))
        for path in inside:
            if path.name not in UNSEEN and path.suffix != ".pyc":
                yield path
                if not _is_volatile(_link(path)):
                    left.append(path)


def _row(path: Path) -> tuple[str, ...]:
    link = ""
    try:
        link = _link(path)
        if _is_volatile(link) or _is_volatile(str(path)):
            return str(path), link
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            content = ""
        elif status.st_size > READ_WHOLE:
            content = f"{status.st_size} {status.st_mtime_ns}"
        else:
            with path.open("rb") as file:
                content = hashlib.sha256(file.read(READ_WHOLE + 1)).hexdigest()
    except (OSError, ValueError) as error:
        return str(path), link, "?", type(error).__name__
    return str(path), link, f"{status.st_mode:o}", content


def _link(path: Path) -> str:
    """Return what the symbolic link ``path`` says; nothing if it is none."""
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _is_volatile(name: str) -> bool:
    return f"{name}/".startswith(VOLATILE)
