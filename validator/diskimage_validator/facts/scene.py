"""What a reader of facts works with: the engine, what was asked for, and the facts that are already known."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Any, Final

from diskimage_validator.engines.base import Engine, Stat
from diskimage_validator.errors import DeclinedError, ValidatorError
from diskimage_validator.facts.base import DENIED, FactError, Unreadable
from diskimage_validator.facts.live.asking import Asked
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

MAX_ENTRIES: Final = 1_000_000
EVERY_PACKAGE: Final = ("*",)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Reader:
    """How one field of Facts is read. ``title`` ends the sentence "reading ..."; ``whole``: out of the whole tree.

    ``beside``: by a second process, where there is one, while the tree is read: it needs nothing of that.
    """

    title: str
    read: Callable[["Scene"], Any]
    whole: bool = False
    beside: bool = False


class Scene:
    """One target while its facts are read.

    ``commands`` are the names, ``files`` the paths and patterns of paths that the policy asks for; ``asked``:
    what a running system is to connect to; ``intact``: patterns of the packages whose files are read.

    A fact that needs another one asks for it with ``fact``; each is read once. Nothing here raises for what is in the
    target but ``tree``: a fact that cannot be read becomes Unreadable, with the reason. So does one of which a part was
    denied to the account, and whatever builds upon that: half a fact would pass for a whole one.
    """

    def __init__(
        self,
        engine: Engine,
        readers: Mapping[str, Reader],
        *,
        commands: Iterable[str] = (),
        files: Iterable[str] = (),
        asked: Asked | None = None,
        intact: Iterable[str] = EVERY_PACKAGE,
        progress: Progress | None = None,
    ) -> None:
        self.engine = engine
        self.commands = frozenset(commands)
        self.asked = asked or Asked()
        self.files = frozenset(files)
        self.intact = tuple(intact)
        self._readers = readers
        self._progress = progress
        self._found: dict[str, Any] = {}
        self._apart: frozenset[str] = frozenset()
        self._beside: Callable[[], Mapping[str, Any]] | None = None
        self._denied: list[Unreadable] = []

    def fact(self, name: str) -> Any:
        """Return the fact that is called ``name`` in Facts, or Unreadable."""
        if self._beside is not None and name in self._apart:
            beside, self._beside = self._beside, None
            self.say("reading the rest")
            self._found.update(beside())
        if name not in self._found:
            self._found[name] = self._attempt(self._readers[name])
        found = self._found[name]
        if isinstance(found, Unreadable) and found.kind == DENIED:
            self._denied.append(found)
        return found

    def prepare(self, names: Iterable[str]) -> None:
        """Read the tree before these facts, if one of them needs it: what is known then is not asked for by name."""
        if not any(self._readers[name].whole for name in names):
            return
        self.engine.expect_walk()
        if self.engine.is_at_rest:
            try:
                _ = self.tree
            except DeclinedError:
                raise
            except ValidatorError:
                return  # the facts that need the tree will say so

    def read_apart(self, names: Iterable[str]) -> dict[str, Any] | None:
        """Return these facts; None if anything was met on the way that is told elsewhere: notes, missing rights."""
        self._progress = self._beside = None
        told = len(self.engine.notes), len(self.engine.denied)
        facts = {name: self.fact(name) for name in names}
        self.engine.confirm()
        return facts if told == (len(self.engine.notes), len(self.engine.denied)) else None

    def await_beside(self, names: Iterable[str], result: Callable[[], Mapping[str, Any]]) -> None:
        """Be told that ``result`` returns these facts, or none of them, when the first of them is needed."""
        self._apart, self._beside = frozenset(names), result

    @property
    def family(self) -> str:
        """``debian``, ``rhel``, ``suse``; empty if it is unknown."""
        found = self.fact("os")
        return "" if isinstance(found, Unreadable) else str(found.family)

    @cached_property
    def tree(self) -> tuple[tuple[str, Stat], ...]:
        """Every entry of the target as (path, lstat), parents first; read once, and only if somebody asks.

        Paths are those of the engine: pass them through ``clean_path`` before they become part of a fact. Raises
        FactError if there are too many.
        """
        self.say("reading the file tree")
        found = tuple(islice(self.engine.walk("/"), MAX_ENTRIES + 1))
        if len(found) > MAX_ENTRIES:
            raise FactError(f"more than {MAX_ENTRIES} files and folders")
        return found

    def below(self, folder: str) -> Iterator[tuple[str, Stat]]:
        """Yield the entries of ``tree`` below ``folder``, an absolute path without links and trailing slash."""
        prefix = folder.rstrip("/") + "/"
        return ((path, entry) for path, entry in self.tree if path.startswith(prefix))

    def say(self, step: str) -> None:
        """Tell whoever waits what is being done."""
        if self._progress:
            self._progress(step)

    def _attempt(self, reader: Reader) -> Any:
        self.say(f"reading {reader.title}")
        denied, missing = len(self.engine.denied), len(self._denied)
        found = self._read(reader)
        if errors := self.engine.denied[denied:]:
            more = f", and {len(errors) - 1} more" * (len(errors) > 1)
            return Unreadable(clean_path(f"{errors[0].message}{more}"), clean_path(errors[0].hint), DENIED)
        return self._denied[missing] if self._denied[missing:] else found

    def _read(self, reader: Reader) -> Any:
        try:
            return reader.read(self)
        except DeclinedError:
            raise  # no fact about the target: another engine has to read it, from the beginning
        except ValidatorError as error:
            return Unreadable(clean_path(error.message), clean_path(error.hint), type(error).__name__)
        except Exception as error:  # hostile content may break any parser; that must cost one fact, not the run
            reason = f"cannot read {reader.title}: {type(error).__name__}: {error}"
            return Unreadable(clean_path(reason), "", type(error).__name__)
