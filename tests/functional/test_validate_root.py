"""The element validate-root in a real build: the root has the verdict of the image that is made of it."""

import json
import re
from pathlib import Path
from typing import Any

from tests.functional.conftest import BuiltImage

NO_DISK = "the target is no disk image"


def results(report: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the results of a report by check and subject."""
    found = json.loads(report.read_text())["results"]
    return {(one["check"], one["subject"]): one for one in found}


def assert_root_as_image(built: BuiltImage) -> None:
    """Check that the root had the same verdict before the conversion as the image has, but for what is of the disk."""
    root, image = (results(built.reports / name) for name in ("root-report.json", "report.json"))
    of_the_disk = {check for (check, _), one in root.items() if one["message"] == NO_DISK}
    assert of_the_disk == {"disk", "disk-growth"}
    assert {key for key in root.keys() ^ image.keys() if key[0] not in of_the_disk} == set()
    differing = {key for key in root.keys() & image.keys() if root[key] != image[key]}
    # Whether what the boot loader names is on the disk can only be told of a disk.
    assert {check for check, _ in differing} <= {"boot"}
    assert {key for key in differing if root[key]["status"] != image[key]["status"]} == set()
    assert sum(one["status"] == "pass" for one in root.values()) > 90


def test_the_root_has_the_verdict_of_the_image(node_image: BuiltImage) -> None:
    assert_root_as_image(node_image)


def test_the_log_has_the_verdict_before_the_conversion(node_image: BuiltImage) -> None:
    log = (node_image.reports / "build.log").read_text()
    verdict = re.search(r"PASSED  root of bookworm  against container-node: \d+ passed", log)
    assert verdict is not None
    assert verdict.start() < log.index("Converting image using qemu-img convert")
    assert (node_image.reports / "root-junit.xml").stat().st_size > 0
