"""The umbrella image through the gate, as Nodepool builds it."""

import json
import subprocess
from pathlib import Path

from tests.functional.conftest import BuiltImage, RunValidator


def test_every_file_of_the_real_image_was_judged_and_is_what_its_checksum_says(gated_image: BuiltImage) -> None:
    root = json.loads((gated_image.reports / "root-report.json").read_text())
    for name in ("qcow2", "raw"):
        image = gated_image.path.with_suffix(f".{name}")
        report = json.loads((gated_image.reports / f"report-{name}.json").read_text())
        assert report["summary"]["fail"] == report["summary"]["error"] == 0
        assert report["summary"]["pass"] >= root["summary"]["pass"] > 90
        assert report["target"]["sha256"] == Path(f"{image}.sha256").read_text()[:64]
        subprocess.run(["sha256sum", "--check", f"{image}.sha256"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["md5sum", "--check", f"{image}.md5"], check=True, stdout=subprocess.DEVNULL)


def test_the_validator_agrees_afterwards(gated_image: BuiltImage, tmp_path: Path) -> None:
    verdict = RunValidator(gated_image.authority, tmp_path)(gated_image.path)
    assert (verdict.status, verdict.failed()) == (0, set())


def test_the_log_is_the_whole_story(gated_image: BuiltImage) -> None:
    log = (gated_image.path.with_suffix(".log")).read_text()
    order = ["Building elements", "PASSED  ", "Build completed successfully", "the root passed; converting to qcow2"]
    order += ["validating gated.qcow2", "validating gated.raw"]
    places = [log.index(text) for text in order]
    assert places == sorted(places)
    assert "PASSED: " in log.splitlines()[-1]
    assert "DIB_GATE" not in (gated_image.reports / "dib-manifests/dib_environment").read_text()
