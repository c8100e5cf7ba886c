"""Libraries whose import compiles large regular expressions that few runs use, imported without compiling them.

cryptography and PyYAML spell out Unicode's ranges in expressions for names as text and for text that is not printable:
making these takes 13 ms, more than reading a policy does. What is imported here compiles an expression when it is
first used; whoever uses the library notices no difference.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

_compile: Final = re.compile
MODULES: Final = ("cryptography.x509", "yaml")


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
    with _late_patterns():
        for name in MODULES:
            import_module(name)


@contextmanager
def _late_patterns() -> Iterator[None]:
    re.compile = LatePattern  # type: ignore[assignment]
    try:
        yield
    finally:
        re.compile = _compile
