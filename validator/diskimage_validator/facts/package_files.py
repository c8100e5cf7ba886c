"""Which installed files are no longer what the packages brought, as ``dpkg --verify`` and ``rpm -V`` find them.

Every file that a package brought is read, inside the bounds below. What is kept is what differs, and numbers; the
files that are as they should be are not named.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import DeclinedError, EntryNotFoundError, PermissionDeniedError, ValidatorError
from diskimage_validator.facts.base import FactError, known
from diskimage_validator.facts.brought_files import Brought, Notes
from diskimage_validator.facts.packages import Packages
from diskimage_validator.facts.reading import Problem
from diskimage_validator.facts.scene import Scene
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_BYTES: Final = 64 << 30
"""Bytes of all files that are read."""
MAX_SECONDS: Final = 3600.0
MAX_LISTED: Final = 10_000
MAX_PROBLEMS: Final = 1_000
BATCH_FILES: Final = 2_000
BATCH_BYTES: Final = 64 << 20
"""Files, and bytes of them, that an engine is asked for at a time."""


@dataclass(frozen=True)
class Difference:
    """A file of a package that is not what the package brought.

    ``kind``: ``missing``, ``changed`` (content, or the text of a link), or ``replaced`` (by something else than a file,
    or a link). ``expected`` and ``actual`` are ``algorithm:digest``, or the text of a link; empty if it is missing.
    """

    path: str
    package: str
    kind: str
    configuration: bool
    expected: str = ""
    actual: str = ""


@dataclass(frozen=True)
class PackageFiles:
    """What came of holding the files of all packages that match ``asked`` against what the packages brought.

    ``packages``, ``files`` and ``configuration``: how many were held; ``size``: bytes of all files. ``left_out``:
    files of which the package manager knows why they are gone or others. ``unlisted``: packages that have files
    without a digest. ``problems``: lists and files that cannot be read. ``differing`` are the first MAX_LISTED that
    differ, by path, and ``count`` is the full number.
    """

    manager: str
    asked: tuple[str, ...]
    packages: int
    files: int
    configuration: int
    size: int
    left_out: int
    unlisted: tuple[str, ...]
    problems: tuple[Problem, ...]
    differing: tuple[Difference, ...]
    count: int


def read_package_files(scene: Scene) -> PackageFiles:
    """Return which files of the packages that match one of ``scene.intact`` are not what the packages brought.

    Raises FactError where that cannot be told of all of them: a bound is exceeded, or notes of the manager damaged.
    """
    asked = scene.intact
    packages: Packages = known(scene.fact("packages"))
    _ = scene.tree  # every file is looked up, and engines have them all by then
    scene.say("reading what packages brought")
    notes = _read_notes(scene.engine, packages, asked)
    found = _Comparison(scene)
    found.run(notes)
    return PackageFiles(
        manager=packages.manager,
        asked=asked,
        packages=notes.packages,
        files=found.files,
        configuration=sum(file.configuration for file in notes.files),
        size=found.size,
        left_out=notes.left_out + found.excused,
        unlisted=tuple(sorted({clean_path(name) for name in notes.unlisted})),
        problems=tuple(sorted([*notes.problems, *found.problems], key=lambda problem: problem.path)),
        differing=tuple(sorted(found.differing, key=lambda one: (one.path, one.package)))[:MAX_LISTED],
        count=len(found.differing),
    )


def _read_notes(engine: Engine, packages: Packages, asked: Iterable[str]) -> Notes:
    # Imported where files are read, which is seldom: most runs are over in less than a second.
    def wanted(name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in asked)

    if packages.manager == "rpm":
        from diskimage_validator.facts.rpm_brought import read_rpm_files

        return read_rpm_files(engine, packages.path, wanted)
    from diskimage_validator.facts.dpkg_files import read_dpkg_files

    # Of a package that is half-installed nobody knows how far its files came; that it is so is a failure of its own.
    chosen = [one for one in packages.present if one.state != "half-installed" and wanted(one.name)]
    return read_dpkg_files(engine, packages.path, chosen)


class _Comparison:
    """Files held against what was noted of them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._engine = scene.engine
        self._until = time.monotonic() + MAX_SECONDS
        self.files = self.size = self.excused = 0
        self.differing: list[Difference] = []
        self.problems: list[Problem] = []

    def run(self, notes: Notes) -> None:
        self._notes = notes
        waiting: dict[str, list[tuple[Brought, int]]] = defaultdict(list)
        for file in notes.files:
            self._check_time()
            try:
                size = self._look(file)
            except DeclinedError:
                raise
            except ValidatorError as error:
                self._add_problem(file, error)
                continue
            if size is not None and file.algorithm:
                waiting[file.algorithm].append((file, size))
                self.size += size
        if self.size > MAX_BYTES:
            raise FactError(f"the packages' files have {self.size} bytes, more than the {MAX_BYTES} that are read")
        total, done = sum(map(len, waiting.values())), 0
        for algorithm, files in waiting.items():
            for batch in _batches(files):
                self._scene.say(f"reading installed files: {done} of {total}")
                self._hold(batch, algorithm)
                done += len(batch)

    def _look(self, file: Brought) -> int | None:
        """Look at the entry. Return the size of a file that is there; None for anything else."""
        if file.link is not None:
            self._look_at_link(file, file.link)
            return None
        entry = self._engine.stat(file.place)
        if entry is None and (own := self._engine.lstat(file.place)) is not None and not file.algorithm and own.is_link:
            return None  # RPM's own links that lead nowhere, of which it does not know the text any more
        if entry is None:
            self._differ(file, "missing")
        elif file.algorithm and not entry.is_file:
            self._differ(file, "replaced", "a folder" if entry.is_dir else "no regular file")
        else:
            self.files += 1
            return entry.size
        return None

    def _look_at_link(self, file: Brought, text: str) -> None:
        entry = self._engine.lstat(file.place)
        if entry is None:
            self._differ(file, "missing")
        elif not entry.is_link:
            self._differ(file, "replaced", "a folder" if entry.is_dir else "no link")
        elif (actual := self._engine.readlink(file.place)) != text:
            self._differ(file, "changed", clean_path(actual))
        else:
            self.files += 1

    def _hold(self, batch: list[Brought], algorithm: str) -> None:
        """Hold the content of files against what was noted."""
        self._check_time()
        found = self._engine.digests([file.place for file in batch], algorithm)
        for file in batch:
            actual = found[file.place]
            if isinstance(actual, EntryNotFoundError):  # a node may lose it meanwhile
                self.files -= 1
                self._differ(file, "missing")
            elif isinstance(actual, ValidatorError):
                self.files -= 1
                self._add_problem(file, actual)
            elif actual != file.digest:
                self.files -= 1
                self._differ(file, "changed", f"{algorithm}:{actual}")

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise FactError(f"reading the files of the packages took more than {MAX_SECONDS:.0f} s")

    def _differ(self, file: Brought, kind: str, actual: str = "") -> None:
        """Note a difference, unless the package manager knows the reason. It counts as held either way."""
        missing = kind == "missing"
        if (missing and file.optional) or self._notes.excuse(file, missing):
            self.excused += 1
            return
        self.files += 1
        expected = clean_path(file.link) if file.link is not None else f"{file.algorithm}:{file.digest}".strip(":")
        path = clean_path(file.path if file.path == file.place else file.place)
        self.differing.append(Difference(path, clean_path(file.package), kind, file.configuration, expected, actual))

    def _add_problem(self, file: Brought, error: ValidatorError) -> None:
        if isinstance(error, PermissionDeniedError):
            return  # the engine noted it, and so the whole fact is denied
        self.problems.append(Problem(clean_path(file.place), clean_path(error.message)))
        if len(self.problems) > MAX_PROBLEMS:
            raise FactError(f"more than {MAX_PROBLEMS} files of packages cannot be read: {clean_path(error.message)}")


def _batches(files: list[tuple[Brought, int]]) -> Iterator[list[Brought]]:
    """Yield the files by their place, which is about how they lie on the disk, in batches of bounded size."""
    batch: list[Brought] = []
    total = 0
    for file, size in sorted(files, key=lambda one: one[0].place):
        if batch and (len(batch) == BATCH_FILES or total + size > BATCH_BYTES):
            yield batch
            batch, total = [], 0
        batch.append(file)
        total += size
    if batch:
        yield batch
