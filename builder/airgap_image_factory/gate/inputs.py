"""What a build is made from, as one digest: while it stays the same, a policy that failed is going to fail again."""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
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
OF_THIS_BUILD: Final = frozenset({"DIB_IMAGE_FILENAME"})
"""Variables in which Nodepool says the number of the build."""
WRITTEN: Final = re.compile(r"CACHE|LOCK|SAVE|TMP|LOG")
"""In the names of variables whose folders a build writes to, such as DIB_IMAGE_CACHE: what is in there is no input."""
UNSEEN: Final = frozenset({".git", "__pycache__"})


def digest_of_inputs(
    invocation: Invocation, settings: Settings, policy: Policy, environment: Mapping[str, str], elements_path: str
) -> str:
    """Return a sha256 over all that decides about the image and the verdict, as lower-case hex.

    These are the elements of ``elements_path`` (a list with colons) and diskimage-builder's own, all of them with every
    file; the policy as it is resolved; the CA files; the formats and options; every ``DIB_*`` variable; and the files
    and folders that such a variable names, e.g. a site file, a list of mirrors, a public key. A file that cannot be
    read counts as what it is: unreadable.
    """
    digest = hashlib.sha256()

    def add(*parts: str) -> None:
        for part in parts:
            data = part.encode(errors="surrogateescape")
            digest.update(b"%d:" % len(data))
            digest.update(data)

    add(VERSION, policy.digest, settings.engine, settings.threshold, settings.qemu_img_options or "")
    add(*invocation.formats, str(invocation.compress), invocation.qemu_img_options, *invocation.passed)
    add(*invocation.elements)
    folders = [*elements_path.split(":"), paths.get_path("elements")]
    for row in _rows(Path(folder) for folder in dict.fromkeys(folders) if folder):
        add(*row)
    for row in _rows(settings.authorities):
        add(*row)
    for name, value in sorted(environment.items()):
        if name.startswith("DIB_") and not name.startswith(PREFIX) and name not in OF_THIS_BUILD:
            add(name, value)
            named = () if WRITTEN.search(name) else value.replace(":", " ").split()
            for row in _rows(Path(word) for word in named if word.startswith("/")):
                add(*row)
    return digest.hexdigest()


def _rows(places: Iterable[Path]) -> Iterator[tuple[str, ...]]:
    """Yield (path, kind and mode, content) of each of ``places`` and of all that lies below it."""
    for place in places:
        yield _row(place)
        if place.is_dir():
            for count, path in enumerate(_below(place)):
                if count >= MAX_FILES:
                    break
                yield _row(path)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in UNSEEN)
        yield from (Path(parent, name) for name in sorted([*folders, *files]) if not name.endswith(".pyc"))


def _row(path: Path) -> tuple[str, ...]:
    try:
        status = path.lstat()
        if path.is_symlink():
            content = str(path.readlink())
        elif not path.is_file():
            content = ""
        elif status.st_size > READ_WHOLE:
            content = f"{status.st_size} {status.st_mtime_ns}"
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return str(path), "?", type(error).__name__
    return str(path), f"{status.st_mode:o}", content
