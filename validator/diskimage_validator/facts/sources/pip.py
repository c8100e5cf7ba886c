"""pip: every configuration file that it reads, that of the system, of users and of virtual environments.

https://pip.pypa.io/en/stable/topics/configuration/ names the files: ``/etc/pip.conf`` and ``pip/pip.conf`` in each of
``XDG_CONFIG_DIRS`` (``/etc/xdg``), ``~/.pip/pip.conf``, ``~/.config/pip/pip.conf``, and ``pip.conf`` in the root of a
virtual environment.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from diskimage_validator.facts.formats.base import Malformed, Setting
from diskimage_validator.facts.formats.python_ini import parse_python_ini
from diskimage_validator.facts.sources.found import Found
from diskimage_validator.facts.sources.urls import locate

KIND: Final = "pip"
SYSTEM: Final = ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
USER: Final = (".pip/pip.conf", ".config/pip/pip.conf")
_INDEXES: Final = ("index-url", "extra-index-url", "find-links", "index", "pypi-url")


def read_pip(found: Found, environments: Iterable[str]) -> None:
    """Collect the indexes, proxies and switches of pip. ``environments`` are the folders of virtual environments."""
    users = (f"{home}/{name}" for home in found.homes() for name in USER)
    venvs = (f"{folder}/pip.conf" for folder in environments)
    for path in (*SYSTEM, *users, *venvs):
        text = found.text(KIND, path)
        if text is None:
            continue
        try:
            settings = parse_python_ini(text)
        except Malformed as error:
            found.malformed(KIND, path, error)
            continue
        for setting in settings:
            _read(found, path, setting)


def _read(found: Found, path: str, setting: Setting) -> None:
    name = setting.key.replace("_", "-").removeprefix("--")
    note_pip_option(found, path, name, list(_words(setting)))


def _words(setting: Setting) -> Iterator[tuple[int, str]]:
    for offset, line in enumerate(setting.value.split("\n")):
        for word in line.split():
            yield setting.line + offset, word


def note_pip_option(found: Found, path: str, name: str, words: list[tuple[int, str]]) -> None:
    """Note what an option of pip, ``name`` as on its command line, means; ``words`` are (line, word) of its value."""
    for line, word in words:
        if name in _INDEXES:
            found.endpoint(KIND, "packages", path, line, word, schemeless="path")
        elif name == "proxy":
            found.endpoint(KIND, "proxy", path, line, word)
        elif name == "trusted-host":
            effect = "packages from this host are taken without TLS or with any certificate"
            remedy = "serve the index with TLS, let pip trust its CA (cert), and remove the setting"
            found.switch(KIND, path, line, name, locate(word).shown, effect, remedy)
