"""A running system that answers: a tree, and what tools printed when they were really asked."""

from collections.abc import Mapping, Sequence

from diskimage_validator.engines.base import RUN_LIMIT
from diskimage_validator.process import NOT_FOUND, Completed
from tests.support.memory_engine import Entry, MemoryEngine


class AnsweringEngine(MemoryEngine):
    """``answers``: the beginning of a command line to its output, or status and both outputs. The rest is not there."""

    live = True

    def __init__(
        self,
        answers: Mapping[str, str | tuple[int, str, str]],
        tree: dict[str, Entry] | None = None,
        *,
        root: bool = True,
    ) -> None:
        super().__init__(tree or {})
        self._answers = answers
        self._root = root

    def run(
        self,
        command: Sequence[str],
        *,
        timeout: float,
        as_root: bool = False,
        limit: int = RUN_LIMIT,
        stdin: bytes = b"",
    ) -> Completed:
        if as_root and not self._root:
            raise self.deny(command[0], "no sudo")
        line = " ".join(command)
        if command[:2] == ["sh", "-c"] and "command -v" in command[2]:
            there = {name.split()[0] for name in self._answers}
            return Completed(0, next((f"{tool}\n" for tool in command[4:] if tool in there), ""), "")
        answer = next((answer for start, answer in self._answers.items() if line.startswith(start)), None)
        if answer is None:
            return Completed(NOT_FOUND, "", f"{command[0]}: not found\n")
        return Completed(*(answer if isinstance(answer, tuple) else (0, answer, "")))
