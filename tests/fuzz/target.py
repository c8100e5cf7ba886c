"""What can be fuzzed: a function that takes bytes, or the reader of one fact with the bytes in one file of an image."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import FACTS
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.scene import Reader, Scene
from tests.support import images
from tests.support.memory_engine import Entry, File, MemoryEngine

CORPUS: Final = Path(__file__).parent / "corpus"
SMALL: Final = 4096
"""Bytes of one input: enough for every state of most parsers, and small enough to be kept."""
LARGE: Final = 32 * 1024
"""The same for formats whose smallest file has some pages."""
LONG: Final = 200 * 1024
"""Bytes of an input that ``prolonged`` makes: just below what is read of a configuration file."""

_JSON: Final = TypeAdapter[Any](Any)
_DEBIAN: Final = images.debian()


def _no_seeds() -> Iterable[bytes]:
    return ()


@dataclass(frozen=True)
class Target:
    """``parse`` may raise ValidatorError and return anything that can be written as JSON in UTF-8.

    ``seeds`` makes inputs to begin with that are not kept as files; ``limit`` is the length of an input in bytes;
    ``path`` is where the input is in an image, empty for a function.
    """

    name: str
    parse: Callable[[bytes], Any]
    limit: int = SMALL
    seeds: Callable[[], Iterable[bytes]] = _no_seeds
    path: str = ""

    def feed(self, data: bytes) -> None:
        """Parse ``data``. Raises for every bug."""
        try:
            found = self.parse(data)
        except ValidatorError as error:
            f"{error.message}{error.hint}".encode()
            return
        json.dumps(_JSON.dump_python(found, mode="json")).encode()

    @property
    def folder(self) -> Path:
        """Where its corpus is."""
        return CORPUS / self.name

    def corpus(self) -> list[Path]:
        """Return the inputs that are kept, sorted."""
        return sorted(self.folder.glob("*"))

    def beginnings(self) -> list[bytes]:
        """Return what a search begins with: the corpus and the seeds."""
        return [*(path.read_bytes() for path in self.corpus()), *self.seeds()]


def prolonged(data: bytes) -> bytes:
    """Return ``LONG`` bytes: of three parts, which zero bytes separate, the one in the middle is repeated."""
    parts = data.split(b"\0", 2)
    head, unit, tail = parts if len(parts) == 3 else (b"", parts[0], b"".join(parts[1:]))
    return head + (unit or b" ") * ((LONG - len(head) - len(tail)) // len(unit or b" ")) + tail


class _Scene(Scene):
    """A scene that lets bugs through, also those of a fact that another one needs."""

    def _attempt(self, reader: Reader) -> Any:
        try:
            return reader.read(self)
        except ValidatorError as error:
            return Unreadable(error.message, error.hint, type(error).__name__)


def of_fact(
    fact: str,
    path: str,
    *,
    base: dict[str, Entry] | None = None,
    limit: int = SMALL,
    seeds: Callable[[], Iterable[bytes]] = _no_seeds,
) -> Target:
    """Return the reader of the field ``fact`` of Facts, with the input at ``path`` of the image ``base``."""
    tree = _DEBIAN if base is None else base

    def parse(data: bytes) -> Any:
        engine = MemoryEngine({**tree, path: File(data, 0o755)}, disk=images.disk())
        return FACTS[fact].read(_Scene(engine, FACTS))

    return Target(f"{fact}{path.replace('/', '-')}", parse, limit, seeds, path)
