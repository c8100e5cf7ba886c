"""Search for inputs that break a parser: ``python -m tests.fuzz [--seconds N] [NAME...]``; without names, all of them.

Each target runs in a process of its own, because libFuzzer never returns. It begins with the corpus. An input that
breaks the parser, or for which it takes longer than ten seconds, is left in ``build/fuzz``, and the traceback printed.
With ``--long`` every input is prolonged to 200 KiB by repetition, which finds time that grows too fast. What reached
new code is kept in the corpus if ``--keep`` is given.
"""

import argparse
import gc
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FunctionType

from tests.fuzz.selection import select

INSTRUMENTED = ["diskimage_validator", "configparser", "debian", "elftools", "tomllib", "yaml"]
"""Packages whose branches count as new code: ours, and those in Python that get the bytes from us."""
TIMEOUT = 10
BROKEN = Path("build/fuzz")
_WORD = re.compile(rb"[A-Za-z][A-Za-z0-9_.:-]{2,30}|[^\sA-Za-z0-9]{2,6}")


def search(name: str, arguments: list[str], *, long: bool) -> None:
    """Run libFuzzer on one target; never returns."""
    import atheris  # noqa: PLC0415 - only here: it is no dependency of the tests

    atheris.enabled_hooks.add("str")  # comparisons by startswith() and endswith() guide it as those by == do
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.target import prolonged  # noqa: PLC0415 - under the eyes of atheris
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    instrument_comprehensions(atheris.patch_code)
    target = TARGETS[name]
    atheris.Setup(
        [sys.argv[0], *arguments],
        (lambda data: target.feed(prolonged(data))) if long else target.feed,
    )
    atheris.Fuzz()


def instrument_comprehensions(patch: Callable[..., CodeType]) -> None:
    """Instrument what atheris leaves out in our functions: comprehensions and generator expressions."""

    def patched(code: CodeType) -> CodeType:
        if code.co_name.startswith("<") and code.co_name != "<lambda>":
            code = patch(code, True, nested=True)
        inner = (patched(part) if isinstance(part, CodeType) else part for part in code.co_consts)
        return code.replace(co_consts=tuple(inner))

    for function in [thing for thing in gc.get_objects() if isinstance(thing, FunctionType)]:
        if function.__module__ and function.__module__.startswith("diskimage_validator."):
            function.__code__ = patched(function.__code__)


def run(name: str, seconds: int, *, keep: bool, long: bool) -> int:
    """Fuzz one target for that long and return the exit status of libFuzzer."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - not in the process that instruments it

    target = TARGETS[name]
    this = [sys.executable, "-m", "tests.fuzz", "--inside", name, *(["--long"] if long else [])]
    with tempfile.TemporaryDirectory() as folder:
        found, words, report = Path(folder, "found"), Path(folder, "words"), Path(folder, "report")
        found.mkdir()
        beginnings = target.beginnings()
        for number, data in enumerate(beginnings):
            (found / f"seed-{number}").write_bytes(data)
        words.write_text(dictionary(beginnings))
        limit = 256 if long else target.limit
        BROKEN.mkdir(parents=True, exist_ok=True)
        options = [
            f"-artifact_prefix={BROKEN}/{name}-",
            f"-max_len={limit}",
            f"-timeout={TIMEOUT}",
            "-rss_limit_mb=2048",
            f"-dict={words}",
        ]
        status = subprocess.run([*this, *options, f"-max_total_time={seconds}", found], check=False).returncode
        if keep and status == 0 and not long:
            names = sorted(found.iterdir(), key=lambda path: path.stat().st_size)
            report.write_text("\n".join([str(len(names)), "0", *map(str, names), ""]))
            # The inner half of a merge: it only runs every input and notes what is new in it.
            inner = [f"-max_len={limit}", "-merge_inner=1", f"-merge_control_file={report}"]
            status = subprocess.run([*this, *inner], check=False).returncode
            select(report.read_text(), target.folder)
    return status


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
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.inside:
        search(options.inside, [*rest, *options.names], long=options.long)
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - not in the process that instruments it

    if options.list:
        sys.stdout.writelines(f"{name}\n" for name in TARGETS)
        return 0
    unknown = set(options.names) - set(TARGETS)
    if rest or unknown:
        parser.error(f"no such option or target: {', '.join([*rest, *sorted(unknown)])}")
    broken = [
        name for name in options.names or TARGETS if run(name, options.seconds, keep=options.keep, long=options.long)
    ]
    sys.stdout.writelines(f"broken: {name}\n" for name in broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
