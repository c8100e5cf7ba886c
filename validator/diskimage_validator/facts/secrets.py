"""Secrets in the target: private keys and credentials. A fact names where they are and never what they are."""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.credentials import PARSERS
from diskimage_validator.facts.private_keys import find_private_keys
from diskimage_validator.facts.reading import SMALL, Problem, home_folders, read_one
from diskimage_validator.facts.scene import Scene
from diskimage_validator.facts.secret_places import is_key_candidate, parsers_of
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_FILES: Final = 50_000
MAX_FOUND: Final = 10_000
_LOOKED_AT: Final = ("/etc/", "/home/", "/root/", "/opt/", "/srv/", "/usr/local/", "/usr/etc/", "/var/", "/run/")
_ELSEWHERE: Final = ("/media/", "/mnt/", "/boot/", "/tmp/")  # noqa: S108 - folders of the image


@dataclass(frozen=True)
class KeyFile:
    """A private key. ``form`` names its format; ``encrypted`` is None where the format does not tell easily."""

    path: str
    form: str
    encrypted: bool | None
    line: int


@dataclass(frozen=True)
class Credential:
    """A password or token. ``kind`` says what it belongs to; ``line`` counts from 1, 0 if unknown."""

    path: str
    kind: str
    line: int


@dataclass(frozen=True)
class Secrets:
    """What was found in the ``files`` that were read; ``problems`` are those that could not be read."""

    keys: tuple[KeyFile, ...]
    credentials: tuple[Credential, ...]
    files: int
    problems: tuple[Problem, ...]


def read_secrets(scene: Scene) -> Secrets:
    """Return the private keys and credentials in the usual places. Each file is read once, SMALL bytes of it at most.

    Raises FactError if there are too many files to read, or too many secrets in them.
    """
    keys: list[KeyFile] = []
    credentials: list[Credential] = []
    problems: list[Problem] = []
    files = 0
    for path, wants_keys, parsers in _candidates(scene):
        files += 1
        if files > MAX_FILES or len(keys) + len(credentials) > MAX_FOUND:
            raise FactError(f"more than {MAX_FILES} files that may hold secrets, or more than {MAX_FOUND} secrets")
        data = read_one(scene.engine, path, limit=SMALL, whole=False)
        if isinstance(data, Problem):
            problems.append(data)
        elif data:
            name = clean_path(path)
            found = find_private_keys(data) if wants_keys else ()
            keys.extend(KeyFile(name, key.form, key.encrypted, key.line) for key in found)
            outcome = list(_credentials(name, data, parsers))
            credentials.extend(entry for entry in outcome if isinstance(entry, Credential))
            problems.extend(entry for entry in outcome if isinstance(entry, Problem))
    return Secrets(tuple(keys), tuple(credentials), files, tuple(problems))


def _candidates(scene: Scene) -> Iterator[tuple[str, bool, tuple[str, ...]]]:
    """Yield path, whether it is read for keys, and the parsers of its credentials."""
    homes = home_folders(scene.engine)
    places = (*_LOOKED_AT, *_ELSEWHERE, *(f"{home}/" for home in homes))
    below_usr = tuple(place for place in places if place.startswith("/usr/"))
    for path, entry in scene.tree:
        # Most files are below /usr, and few of the places.
        if path.startswith(below_usr if path.startswith("/usr/") else places) and entry.size and entry.is_file:
            wants_keys, parsers = is_key_candidate(path, homes), parsers_of(path, homes)
            if wants_keys or parsers:
                yield path, wants_keys, parsers


def _credentials(path: str, data: bytes, parsers: tuple[str, ...]) -> Iterator[Credential | Problem]:
    if b"\0" in data and parsers != ("anything",):
        return  # no text file
    for parser in parsers:
        try:
            for found in PARSERS[parser](data):
                yield Credential(path, found.kind, found.line)
        except ValidatorError as error:
            yield Problem(path, f"{path}: {error.message}")
