"""The files that a policy names, and those that its patterns cover."""

import hashlib
import stat
from collections.abc import Iterable, Mapping
from typing import Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.reading import Problem, read_one
from diskimage_validator.facts.scene import Scene
from diskimage_validator.frozen import dataclass
from diskimage_validator.globs import fixed_folder, is_plain, matches
from diskimage_validator.printable import clean_path, decode

MAX_HASHED: Final = 1 << 30
"""Bytes of a file that is still read for its digest."""
CHUNK: Final = 4 * 1024 * 1024
MAX_MATCHES: Final = 1_000
ACCOUNTS: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class FileEntry:
    """What a path leads to.

    ``kind``: ``file``, ``folder``, ``other``, or ``dangling`` for a link that leads nowhere; ``link``: its text if the
    path itself is a link, else empty. ``mode`` are the permission bits; ``user`` and ``group`` are the names that the
    image gives uid and gid, empty if it gives none; ``sha256`` is None for what is no file or larger than MAX_HASHED.
    """

    kind: str
    link: str = ""
    mode: int = 0
    uid: int = 0
    gid: int = 0
    user: str = ""
    group: str = ""
    size: int = 0
    sha256: str | None = None


@dataclass(frozen=True)
class Files:
    """Answers by what was asked.

    ``entries`` has every path, None if it is not there, and a Problem if that cannot be told; ``covered`` has for every
    pattern the first MAX_MATCHES paths that it covers.
    """

    entries: dict[str, FileEntry | Problem | None]
    covered: dict[str, tuple[str, ...]]


def read_files(scene: Scene) -> Files:
    """Return what became of the paths and patterns in ``scene.files``. Raises what ``Scene.tree`` raises."""
    plain = sorted(path for path in scene.files if is_plain(path))
    users, groups = (_names(scene.engine, path) for path in ("/etc/passwd", "/etc/group")) if plain else ({}, {})
    return Files(
        entries={path: _entry(scene.engine, path, users, groups) for path in plain},
        covered={path: tuple(_covered(scene, path)) for path in sorted(scene.files) if not is_plain(path)},
    )


def _covered(scene: Scene, pattern: str) -> Iterable[str]:
    found = (clean_path(path) for path, _ in scene.below(fixed_folder(pattern)) if matches(path, [pattern]))
    return [path for _, path in zip(range(MAX_MATCHES), found, strict=False)]


def _entry(
    engine: Engine, path: str, users: Mapping[int, str], groups: Mapping[int, str]
) -> FileEntry | Problem | None:
    try:
        own = engine.lstat(path)
        if own is None:
            return None
        link = clean_path(engine.readlink(path)) if own.is_link else ""
        found = engine.stat(path)
        if found is None:
            return FileEntry("dangling", link)
        return FileEntry(
            kind="file" if found.is_file else "folder" if found.is_dir else "other",
            link=link,
            mode=stat.S_IMODE(found.mode),
            uid=found.uid,
            gid=found.gid,
            user=users.get(found.uid, ""),
            group=groups.get(found.gid, ""),
            size=found.size,
            sha256=_sha256(engine, path, found),
        )
    except ValidatorError as error:
        return Problem(clean_path(path), clean_path(error.message))


def _sha256(engine: Engine, path: str, entry: Stat) -> str | None:
    if not entry.is_file or entry.size > MAX_HASHED:
        return None
    digest = hashlib.sha256()
    for offset in range(0, entry.size, CHUNK):
        digest.update(engine.read(path, offset=offset, limit=CHUNK, whole=False))
    return digest.hexdigest()


def _names(engine: Engine, path: str) -> dict[int, str]:
    """Return number to name of passwd(5) or group(5); the first name of a number counts, as for getpwuid(3)."""
    data = read_one(engine, path, limit=ACCOUNTS)
    found: dict[int, str] = {}
    for line in decode(data if isinstance(data, bytes) else b"").split("\n"):
        fields = line.split(":")
        if len(fields) > 3 and fields[2].isascii() and fields[2].isdigit() and len(fields[2]) <= 10:
            found.setdefault(int(fields[2]), fields[0])
    return found
