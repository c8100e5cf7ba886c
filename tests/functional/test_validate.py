"""The untouched image passes; each way to break it is caught by the right check, and by no other."""

import datetime
import hashlib
import json
import subprocess
import sys
from pathlib import Path

from tests.elements.pki import make_ca
from tests.functional.conftest import BuiltImage, RunValidator, Workshop

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
ANCHORS = "/usr/local/share/ca-certificates"


def test_the_image_has_no_finding(node_image: BuiltImage, run_validator: RunValidator) -> None:
    verdict = run_validator(node_image.path)
    assert verdict.failed() == set()
    assert verdict.status == 0
    assert verdict.report["engine"] == "direct"
    assert verdict.report["summary"]["pass"] > 10


def test_the_build_left_image_checksum_log_and_reports(node_image: BuiltImage) -> None:
    digest = hashlib.sha256(node_image.path.read_bytes()).hexdigest()
    checksum = node_image.path.with_name(f"{node_image.path.name}.sha256")
    assert checksum.read_text() == f"{digest}  {node_image.path.name}\n"
    report = json.loads((node_image.reports / "report.json").read_text())
    assert report["target"]["sha256"] == digest
    assert {path.name for path in node_image.reports.iterdir()} == {
        "build.log",
        "dib-manifests",
        "image-provenance.json",
        "junit.xml",
        "report.json",
        "report.txt",
        "root-junit.xml",
        "root-report.json",
    }


def test_a_ca_that_is_no_longer_in_the_generated_bundle(
    node_image: BuiltImage, workshop: Workshop, run_validator: RunValidator
) -> None:
    with workshop as handle:
        assert handle.ls(ANCHORS), "the anchor is baked and stays"
        bundle, pem = handle.read_file(BUNDLE), node_image.authority.read_bytes().strip()
        assert bundle.count(pem) == 1
        handle.write(BUNDLE, bundle.replace(pem, b""))
    verdict = run_validator(workshop.copy)
    assert verdict.status == 1
    assert verdict.failed_checks() == {"ca-trusted", "ca-anchors", "provenance"}
    # Without the CA at hand, the image contradicts itself: an anchor that is not in its bundle.
    assert run_validator(workshop.copy, with_ca=False).failed_checks() == {"ca-anchors", "provenance"}


def test_a_tool_whose_file_was_removed(workshop: Workshop, run_validator: RunValidator) -> None:
    with workshop as handle:
        handle.rm("/usr/bin/skopeo")
    verdict = run_validator(workshop.copy)
    assert (verdict.status, verdict.failed()) == (1, {("commands-required", "skopeo")})


def test_a_tool_whose_package_was_removed(workshop: Workshop, run_validator: RunValidator) -> None:
    with workshop as handle:
        handle.command(["dpkg", "--force-depends", "--remove", "skopeo"])
    verdict = run_validator(workshop.copy)
    assert verdict.status == 1
    assert verdict.failed() == {
        ("commands-required", "skopeo"),
        ("packages-required", "skopeo"),
        ("provenance", "skopeo:amd64"),
    }


def test_an_expired_ca_that_was_added(workshop: Workshop, run_validator: RunValidator, tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    expired = make_ca("Expired CA", not_before=now - 30 * day, not_after=now - day)
    with workshop as handle:
        handle.write(f"{ANCHORS}/expired.crt", expired.cert_pem)
        handle.command(["update-ca-certificates"])
    verdict = run_validator(workshop.copy)
    assert (verdict.status, verdict.failed_checks()) == (1, {"ca-anchors", "provenance"})
    (tmp_path / "expired.pem").write_bytes(expired.cert_pem)
    verdict = run_validator(workshop.copy, "--ca", str(tmp_path / "expired.pem"))
    assert verdict.failed_checks() == {"ca-anchors", "ca-trusted", "provenance"}


def test_an_overlay_on_the_image_is_refused(
    node_image: BuiltImage, run_validator: RunValidator, tmp_path: Path
) -> None:
    overlay = tmp_path / "overlay.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(node_image.path), str(overlay)]
    subprocess.run(create, check=True)
    verdict = run_validator(overlay)
    assert verdict.status == 3
    assert "backing file" in verdict.stderr
    assert "Traceback" not in verdict.stderr


def test_inspect_tells_a_person_what_is_in_the_image(node_image: BuiltImage) -> None:
    command = [sys.executable, "-m", "diskimage_validator", "inspect", str(node_image.path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for expected in ("bookworm", "ext4", "skopeo", "Functional test CA"):
        assert expected in done.stdout


def test_doctor_finds_this_host_fit() -> None:
    command = [sys.executable, "-m", "diskimage_validator", "doctor"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0
    assert "This host can read disk images (direct, guestfs, boot)." in done.stdout
