"""Imports of modules that compile regular expressions which few runs use: each is compiled when it is first used.

cryptography and PyYAML spell out Unicode's ranges in expressions for names as text and for text that is not printable:
making these takes 13 ms, more than reading a policy does. Our own have some hundred, for all that an image may hold.
Whoever uses such an expression notices no difference, as long as it is by its own methods.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

_compile: Final = re.compile
MODULES: Final = ("cryptography.x509", "yaml")
OURS: Final = __name__.partition(".")[0]


class LatePattern:
    """Stands for what ``re.compile`` returns for the same arguments, which is compiled when it is first used."""

    def __init__(self, pattern: Any, flags: Any = 0) -> None:
        self._arguments = pattern, flags

    def __getattr__(self, name: str) -> Any:
        found = getattr(_compile(*self._arguments), name)
        self.__dict__[name] = found
        return found


def import_quickly() -> None:
    """Import MODULES, if they are not imported yet. For the start of a process: no other thread may import."""
    with _compiling(LatePattern):
        for name in MODULES:
            import_module(name)


@contextmanager
def our_late_patterns() -> Iterator[None]:
    """Import modules of this package so, as long as this lasts; what they import besides is imported as ever."""
    with _compiling(_ours_late):
        yield


def _ours_late(pattern: Any, flags: Any = 0) -> Any:
    caller = str(sys._getframe(1).f_globals.get("__name__"))  # noqa: SLF001 - of the module that compiles
    return (LatePattern if caller.partition(".")[0] == OURS else _compile)(pattern, flags)


@contextmanager
def _compiling(function: Any) -> Iterator[None]:
    re.compile = function
    try:
        yield
    finally:
        re.compile = _compile
