"""Find libguestfs' Python binding, also from a virtual environment that cannot see the system's packages.

The binding is not on PyPI. Distributions compile it for their own Python and install it beside their other modules, so
a virtual environment does not have it, which is the most common reason why libguestfs "does not work". Where the
environment's interpreter has the same ABI as the system's, the system's module simply works; so it is looked up there.
"""

import importlib
import importlib.util
import sys
import threading
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from types import ModuleType
from typing import Final

from diskimage_validator.errors import EngineError

REMEDY = (
    "install the distribution's package (Debian, Ubuntu: python3-guestfs; RHEL, Fedora: python3-libguestfs; SUSE: "
    "python3-libguestfs) and run under that distribution's Python version"
)
_ONE_AT_A_TIME: Final = threading.Lock()
"""For another thread, a module that is still being loaded here is there already, and has nothing in it."""


def system_folders() -> list[Path]:
    """Return the folders where distributions keep the binding for this version of Python."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return [
        Path("/usr/lib/python3/dist-packages"),
        Path(f"/usr/lib64/{version}/site-packages"),
        Path(f"/usr/lib/{version}/site-packages"),
    ]


def load_guestfs() -> ModuleType:
    """Return the module ``guestfs``. Raises EngineError with the remedy if this interpreter cannot have it."""
    with _ONE_AT_A_TIME:
        return _load_guestfs()


def _load_guestfs() -> ModuleType:
    try:
        return importlib.import_module("guestfs")
    except ImportError:
        pass
    for folder in system_folders():
        # Only the files of this ABI are looked for: a module of another Python would fail or, worse, crash.
        extension = next((path for path in _extension_files(folder) if path.is_file()), None)
        if extension is not None and (folder / "guestfs.py").is_file():
            _load("libguestfsmod", extension)
            return _load("guestfs", folder / "guestfs.py")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise EngineError(f"the Python binding of libguestfs is not there for Python {version} ({sys.executable})", REMEDY)


def _extension_files(folder: Path) -> list[Path]:
    return [folder / f"libguestfsmod{suffix}" for suffix in EXTENSION_SUFFIXES]


def _load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise EngineError(f"{path} cannot be loaded as the module {name}", REMEDY)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        del sys.modules[name]
        raise EngineError(f"{path} cannot be loaded: {error}", REMEDY) from error
    return module
