"""From the hidden folder of a build to the names that others look at, or aside."""

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from airgap_image_factory.gate.front import Ledger
from airgap_image_factory.gate.workspace import CHECKSUMS, move_old_aside, put_all_in_place

REJECTED: Final = "rejected"
"""The folder in that of the reports for images that did not pass: Nodepool does not look into folders."""


def publish(
    made: Path, base: Path, images: Sequence[Path], environment: Mapping[str, str], ledger: Ledger
) -> list[Path]:
    """Give the ``images``, and before them whatever else is in ``made``, their names beside ``base``; return them.

    An image that is there already is renamed as diskimage-builder does it, unless OVERWRITE_OLD_IMAGE says otherwise.
    If one image cannot get its name, none of them has it; for the case that this process is killed on the way, the
    names of all files are in the ``ledger`` before the first is given.
    """
    beside = base.parent
    own = {Path(f"{path}{suffix}") for path in images for suffix in ("", *CHECKSUMS)}
    others = [path for path in sorted(made.iterdir()) if path not in own]
    for path in (*others, *own):
        if path.is_file():
            ledger.enter_name(path, beside / path.name)
    for path in others:
        merge(path, beside / path.name)
    finals = [beside / image.name for image in images]
    overwrites = environment.get("OVERWRITE_OLD_IMAGE", "0") not in ("", "0")
    put_all_in_place(zip(images, finals if overwrites else map(_vacated, finals), strict=True))
    return finals


def _vacated(place: Path) -> Path:
    """Return ``place``, after the image that may be there got another name."""
    move_old_aside(place, datetime.now().astimezone())
    return place


def put_aside(images: Sequence[Path], reports: Path, *, keep: bool) -> list[Path]:
    """Move rejected ``images`` into the folder of their ``reports``, or remove them. Return where they are."""
    aside = reports / REJECTED
    kept: list[Path] = []
    for image in images:
        if not keep:
            image.unlink(missing_ok=True)
        elif image.exists():
            aside.mkdir(parents=True, exist_ok=True)
            for suffix in ("", *CHECKSUMS):
                if (file := Path(f"{image}{suffix}")).exists():
                    shutil.move(file, aside / file.name)  # the reports may lie on another file system
            kept.append(aside / image.name)
    return kept


def merge(source: Path, target: Path) -> None:
    """Move the file or folder ``source`` to ``target``; what is in a folder there already and not in ours stays."""
    if source.is_dir() and target.is_dir():
        for entry in source.iterdir():
            merge(entry, target / entry.name)
        source.rmdir()
    else:
        if target.is_dir():
            shutil.rmtree(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)
