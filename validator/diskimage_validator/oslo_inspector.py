"""oslo.utils' inspector of image formats, imported without the rest of its package.

``oslo_utils.imageutils`` imports its parser of qemu-img's output too, and with that ``strutils``, which compiles
regular expressions for 40 ms: a tenth of what a whole validation takes. We need neither.
"""

import logging
import sys
import threading
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Final

PACKAGE: Final = "oslo_utils.imageutils"
_ONE_AT_A_TIME: Final = threading.Lock()
"""Who finds the package of another thread, half made, and then not: readiness reads several images at a time."""


def format_inspector() -> ModuleType:
    """Return the module ``oslo_utils.imageutils.format_inspector``."""
    with _ONE_AT_A_TIME:
        module = import_module(f"{PACKAGE}.format_inspector") if PACKAGE in sys.modules else _import_alone()
    # It also logs what it raises; without a handler Python would print that on stderr.
    logging.getLogger(module.__name__).addHandler(logging.NullHandler())
    return module


def _import_alone() -> ModuleType:
    spec = find_spec(PACKAGE)
    if spec is None:
        raise ModuleNotFoundError(PACKAGE)
    sys.modules[PACKAGE] = module_from_spec(spec)  # the package with its path, its __init__ not executed
    try:
        return import_module(f"{PACKAGE}.format_inspector")
    finally:
        del sys.modules[PACKAGE]  # whoever imports the package itself gets all of it
