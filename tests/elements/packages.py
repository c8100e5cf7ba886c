"""Ask diskimage-builder's own programs which packages an element installs."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.elements.fakeroot import DIB_ELEMENTS, ELEMENTS

SQUASH = DIB_ELEMENTS / "package-installs/bin/package-installs-squash"
PKG_MAP = DIB_ELEMENTS / "pkg-map/bin/pkg-map"


def packages(
    element: str, distro: str, release: str, environment: Mapping[str, str] | None = None, action: str = "install"
) -> set[str]:
    """Return the distribution's names of the packages that ``element`` installs (or ``action="uninstall"`` removes).

    ``environment`` is laid over the element's own environment.d, which is sourced by bash as DIB does.
    """
    with tempfile.TemporaryDirectory() as folder:
        squashed = Path(folder) / "package-installs.json"
        script = 'set -eu; for file in "$1"/environment.d/*; do [ ! -e "$file" ] || . "$file"; done; shift; exec "$@"'
        squash = [sys.executable, str(SQUASH), "--elements", element, "--path", str(ELEMENTS), str(squashed)]
        subprocess.run(
            ["bash", "-c", script, "bash", str(ELEMENTS / element), *squash],
            env={"PATH": os.environ["PATH"], "ARCH": "amd64", "DISTRO_NAME": distro, **(environment or {})},
            check=True,
            capture_output=True,
        )
        phases = json.loads(squashed.read_text())
    generic = [name for phase in phases.values() for name, _ in phase.get(action, [])]
    translate = [sys.executable, str(PKG_MAP), "--pkg-map", str(ELEMENTS / element / "pkg-map"), "--missing-ok"]
    translate += ["--distro", distro, "--release", release, *generic]
    mapped = subprocess.run(translate, check=True, capture_output=True, text=True)
    return set(mapped.stdout.split())
