"""Whole builds: disk-image-create-validated, validation and all, against disk-image-create with the same arguments.

The arguments are those of nodepool-builder, the elements those of ``./run image``, the mirror the host's, kept near. A
build takes minutes and root's rights by sudo, so there are three rounds at most.
"""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Case, measure
from benchmarks.near_mirror import near_mirror
from benchmarks.report import Comparison
from benchmarks.say import say
from benchmarks.setup import POLICY, Setup
from tests.support.nginx import find_nginx

from airgap_image_factory.image import Recipe
from airgap_image_factory.mirror import Mirror, choose_mirror
from airgap_image_factory.pki import throw_away_authority
from diskimage_validator.errors import UsageError

GOAL = 0.8
ROUNDS = 3
OPTIONS = ("-x", "-t", "qcow2,raw", "--checksum", "--no-tmpfs", "--qemu-img-options", "compat=0.10")
NEWER = "compat=1.1"


def run(setup: Setup) -> list[Comparison]:
    """Build in turns: through the gate, plainly, and through the gate with the newer version of the format."""
    gate, plain, newer = "disk-image-create-validated", "disk-image-create", {"DIB_GATE_QEMU_IMG_OPTIONS": NEWER}
    with _mirror(setup) as mirror:
        cases = [
            _case(setup, mirror, gate),
            _case(setup, mirror, plain),
            _case(setup, mirror, gate, f"{gate}, {NEWER}", newer),
        ]
        ours, theirs, new = measure(cases, min(setup.rounds, ROUNDS), say)
    return [
        Comparison("gate", "a whole build with validation against one without", [ours, theirs], goal=GOAL),
        Comparison("gate-newer", f"the same, {NEWER} from the gate", [new, theirs], goal=GOAL),
    ]


@contextlib.contextmanager
def _mirror(setup: Setup) -> Iterator[Mirror | str]:
    """Give the host's mirror, near; or why there is none."""
    try:
        mirror = choose_mirror(None, None)
    except UsageError as error:
        yield error.message
        return
    if find_nginx() is None:
        yield "install nginx, which keeps the mirror near"
        return
    with near_mirror(mirror, setup.scratch / "mirror") as near:
        yield near


def _case(
    setup: Setup, mirror: Mirror | str, program: str, name: str = "", variables: dict[str, str] | None = None
) -> Case:
    """Return the build of the umbrella element by ``program``; missing if this host has no mirror to build from."""
    name = name or program
    if isinstance(mirror, str):
        return Case(name, missing=mirror)
    output = setup.scratch / "gate" / name.replace(" ", "") / "node"
    output.parent.mkdir(parents=True)
    authority = throw_away_authority(setup.scratch / "pki").certificate
    recipe = Recipe("bookworm", mirror, [authority], POLICY, output.with_suffix(".qcow2"))
    tools = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    environment = {
        **recipe.build_environment(),
        "OVERWRITE_OLD_IMAGE": "1",
        "PATH": tools,
        "DIB_GATE_POLICY": POLICY,
        "DIB_GATE_CA": str(authority),
        "DIB_GATE_STATE": str(setup.scratch / "state"),
        **(variables or {}),
    }
    found = shutil.which(program, path=tools)
    missing = "" if found else "install the project with its extra build"
    command = [found or program, *OPTIONS, "-o", str(output), *recipe.elements()]
    return Case(name, command, missing=missing, environment=tuple(environment.items()))
