"""Builds of tiny-root: seconds each, nothing downloaded, and a policy that the image passes."""

import sys
from pathlib import Path
from typing import Final

from diskimage_validator.elements import elements_path

ELEMENTS: Final = Path(__file__).parent / "elements"
POLICY: Final = """\
version: 1
name: tiny
os:
  any: [{id: debian}]
packages:
  required: [tiny-root]
files:
  absent: [/etc/forbidden]
disk:
  max_virtual_size: 1 GiB
"""
TINY_ROOT: Final = {
    "DIB_IMAGE_SIZE": "0.06",
    "DIB_JOURNAL_SIZE": "4",
    "DIB_NO_TMPFS": "1",
    "SKIP_BASE": "1",
}
"""Variables of every build: on a small disk."""


def tiny_environment(folder: Path, *, policy: str = POLICY) -> dict[str, str]:
    """Return the variables of a build of ``tiny-root`` in ``folder``, on this host.

    ``DIB_GATE_POLICY`` is ``policy.yaml`` there, written from ``policy``.
    """
    file = folder / "policy.yaml"
    file.write_text(policy)
    return {
        **TINY_ROOT,
        "DIB_GATE_POLICY": str(file),
        "DIB_GATE_STATE": str(folder / "state"),
        "DIB_IMAGE_CACHE": str(folder / "cache"),
        "DIB_VALIDATE_ROOT_COMMAND": str(Path(sys.executable).with_name("diskimage-validator")),
        "ELEMENTS_PATH": f"{ELEMENTS}:{elements_path()}",
    }
