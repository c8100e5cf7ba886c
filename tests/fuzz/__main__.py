"""Search for inputs that break a parser: ``python -m tests.fuzz [--seconds N] [NAME...]``; without names, all of them.

Each target runs in a process of its own, because libFuzzer never returns. It begins with the corpus and with the file
of that path on this host. An input that breaks the parser is left in the current folder, with the traceback above it.
What reached new code is merged into the corpus if ``--keep`` is given.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import CORPUS, MAX_INPUT, TARGETS


def search(name: str, arguments: list[str]) -> None:
    """Run libFuzzer on one target; never returns."""
    import atheris  # noqa: PLC0415 - only here: it is no dependency of the tests

    target = TARGETS[name]
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *arguments], target.feed)
    atheris.Fuzz()


def run(name: str, seconds: int, *, keep: bool) -> int:
    """Fuzz one target for that long and return the exit status of libFuzzer."""
    target = TARGETS[name]
    this = [sys.executable, "-m", "tests.fuzz", "--inside", name]
    with tempfile.TemporaryDirectory() as found:
        seed = Path(target.path)
        if seed.is_file() and seed.stat().st_size <= MAX_INPUT:
            (Path(found) / "seed").write_bytes(seed.read_bytes())
        kept = CORPUS / name
        kept.mkdir(parents=True, exist_ok=True)
        options = [f"-max_len={MAX_INPUT}", f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048"]
        status = subprocess.run([*this, *options, found, str(kept)], check=False).returncode
        if keep and status == 0:
            status = subprocess.run([*this, "-merge=1", str(kept), found], check=False).returncode
    return status


def main() -> int:
    """Run the command line and return its exit status: 1 if a parser broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target; default: 60")
    parser.add_argument("--keep", action="store_true", help="merge what reached new code into the corpus")
    parser.add_argument("--inside", metavar="NAME", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.inside:
        search(options.inside, [*rest, *options.names])
    if unknown := set(options.names) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    broken = [name for name in options.names or TARGETS if run(name, options.seconds, keep=options.keep)]
    sys.stdout.writelines(f"broken: {name}\n" for name in broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
