"""Search for inputs that break a parser: ``python -m tests.fuzz [--seconds N] [NAME...]``; without names, all of them.

Each target runs in a process of its own, because libFuzzer never returns. It begins with the corpus. An input that
breaks the parser, or for which it takes longer than ten seconds, is left in ``build/fuzz``, and the traceback printed.
With ``--long`` every input is prolonged to 200 KiB by repetition, which finds time that grows too fast. What reached
new code is kept in the corpus if ``--keep`` is given.
"""

import argparse
import gc
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Final

import atheris

from tests.fuzz.selection import select

if TYPE_CHECKING:
    from tests.fuzz.target import Target

INSTRUMENTED: Final = ("diskimage_validator", "configparser", "debian", "tomllib", "yaml")
"""Packages whose branches count as new code: ours, and those in Python that get the bytes from us."""
TIMEOUT: Final = 10
BROKEN: Final = Path("build/fuzz")
_WORD: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_.:-]{2,30}|[^\sA-Za-z0-9]{2,6}")


def load() -> "dict[str, Target]":
    """Import and instrument everything, which takes some seconds, and return the targets."""
    atheris.enabled_hooks.add("str")  # comparisons by startswith() and endswith() guide it as those by == do
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS

    for function in [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]:
        if function.__module__ and function.__module__.startswith("diskimage_validator."):
            function.__code__ = with_comprehensions(function.__code__)
    return TARGETS


def with_comprehensions(code: CodeType) -> CodeType:
    """Return ``code`` with what atheris leaves out instrumented: comprehensions and generator expressions."""
    if code.co_name.startswith("<") and code.co_name != "<lambda>":
        code = atheris.patch_code(code, True, nested=True)
    inner = (with_comprehensions(part) if isinstance(part, CodeType) else part for part in code.co_consts)
    return code.replace(co_consts=tuple(inner))


def run(target: "Target", seconds: int, *, keep: bool, long: bool) -> int:
    """Fuzz one target for that long and return the exit status of libFuzzer."""
    with tempfile.TemporaryDirectory() as folder:
        found, words, report = Path(folder, "found"), Path(folder, "words"), Path(folder, "report")
        found.mkdir()
        beginnings = target.beginnings()
        for number, data in enumerate(beginnings):
            (found / f"seed-{number}").write_bytes(data)
        words.write_text(dictionary(beginnings))
        limit = 256 if long else target.limit
        BROKEN.mkdir(parents=True, exist_ok=True)
        options = [f"-artifact_prefix={BROKEN}/{target.name}-", f"-max_len={limit}", f"-timeout={TIMEOUT}"]
        options += ["-rss_limit_mb=2048", f"-dict={words}", f"-max_total_time={seconds}"]
        feed = prolonging(target) if long else target.feed
        status = in_child(feed, [*options, str(found)])
        if keep and status == 0 and not long:
            names = sorted(found.iterdir(), key=lambda path: path.stat().st_size)
            report.write_text("\n".join([str(len(names)), "0", *map(str, names), ""]))
            # The inner half of a merge: it only runs every input and notes what is new in it.
            status = in_child(feed, [f"-max_len={limit}", "-merge_inner=1", f"-merge_control_file={report}"])
            select(report.read_text(), target.folder)
    return status


def prolonging(target: "Target") -> Callable[[bytes], None]:
    """Return what feeds ``target`` with prolonged inputs."""
    from tests.fuzz.target import prolonged

    return lambda data: target.feed(prolonged(data))


def in_child(feed: Callable[[bytes], None], arguments: list[str]) -> int:
    """Run libFuzzer in a child process and return its exit status."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            atheris.Setup([sys.argv[0], *arguments], feed)
            atheris.Fuzz()
        finally:
            os._exit(1)  # only the parent tidies up
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def dictionary(texts: list[bytes]) -> str:
    """Return the words of ``texts`` in libFuzzer's form: it puts them together anew."""
    words = {word for text in texts for word in _WORD.findall(text)}
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in sorted(words)[:500])
    return "".join(f'"{word}"\n' for word in quoted)


def main() -> int:
    """Run the command line and return its exit status: 1 if a parser broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to fuzz; --list tells the names")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: 60")
    parser.add_argument("--keep", action="store_true", help="keep what reached new code in the corpus")
    parser.add_argument("--long", action="store_true", help="prolong every input by repetition")
    parser.add_argument("--list", action="store_true", help="print the names")
    options = parser.parse_args()
    targets = load()
    if options.list:
        sys.stdout.writelines(f"{name}\n" for name in targets)
        return 0
    if unknown := set(options.names) - set(targets):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    broken = []
    for name in options.names or targets:
        status = run(targets[name], options.seconds, keep=options.keep, long=options.long)
        sys.stdout.write(f"{name}: {'broken' if status else 'sound'}\n")
        broken += [name] if status else []
    sys.stdout.writelines(f"broken: {name}\n" for name in broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
