"""The running kernel: its modules (proc_modules(5), modules.builtin of kbuild) and its entropy (random(4))."""

from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.live.asking import ask
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable

ENTROPY: Final = "/proc/sys/kernel/random/entropy_avail"


@dataclass(frozen=True)
class Kernel:
    """``release`` as of uname(1); ``loaded`` and ``builtin``: names of modules with underscores, sorted.

    ``builtin`` is None if the kernel's list of them is not there. ``entropy``: bits that the kernel says it has.
    """

    release: str
    loaded: tuple[str, ...]
    builtin: tuple[str, ...] | None
    entropy: int


def read_kernel(engine: Engine) -> Kernel | None:
    """Return what the running kernel says."""
    if not engine.live:
        return None
    release = ask(engine, ["uname", "-r"]).strip()
    # A kernel without loadable modules has no such file.
    modules = ask(engine, ["sh", "-c", "[ ! -e /proc/modules ] || cat /proc/modules"])
    entropy = ask(engine, ["cat", ENTROPY]).strip()
    if not (entropy.isascii() and entropy.isdigit()):
        raise FactError(f"{ENTROPY}: no number")
    names = {line.split(" ", 1)[0] for line in modules.splitlines()}
    return Kernel(printable(release), tuple(sorted(map(printable, names))), _builtin(engine, release), int(entropy))


def _builtin(engine: Engine, release: str) -> tuple[str, ...] | None:
    try:
        text = engine.read(f"/lib/modules/{release}/modules.builtin").decode("utf-8", "replace")
    except EntryNotFoundError:
        return None
    names = {line.rsplit("/", 1)[-1].split(".ko", 1)[0].replace("-", "_") for line in text.splitlines()}
    return tuple(sorted(map(printable, names)))
