"""The jobs that build an image and judge a node, played by Ansible as Zuul's executor does, with the real gate."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.functional.object_store import ObjectStore, object_store
from tests.functional.tiny import POLICY, tiny_environment
from tests.functional.zuul_application import ROOT, Build, Zuul, install

KEY = Ed25519PrivateKey.generate()
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
SECRET = "correct horse battery staple"
NAME = "debian-tiny"
PROGRAMS = {"disk-image-create-validated": "airgap_image_factory.gate", "diskimage-validator": "diskimage_validator"}


@pytest.fixture(scope="module")
def zuul(image_folder: Path) -> Zuul:
    return install(image_folder / "zuul")


@pytest.fixture(scope="module")
def jobs(zuul: Zuul) -> dict[str, Any]:
    (parsed,) = zuul.parsed(ROOT / ".zuul.d/jobs.yaml")
    found: dict[str, Any] = parsed["jobs"]
    return found


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with our programs under their names: one path each, without arguments."""
    folder = tmp_path_factory.mktemp("programs")
    for name, module in PROGRAMS.items():
        (folder / name).write_text(f'#!/bin/sh\nexec {sys.executable} -m {module} "$@"\n')
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("store")) as running:
        yield running


def image_build(zuul: Zuul, programs: Path, store: ObjectStore, folder: Path, *, policy: str = POLICY) -> Build:
    """Return a build of tiny-root in two formats, signed, to be uploaded to the bucket ``images``."""
    folder.mkdir(exist_ok=True)
    environment = tiny_environment(folder, policy=policy)
    variables = {
        "zuul": {"image_build_name": NAME, "image_formats": ["qcow2", "raw"]},
        "diskimage_policy": environment.pop("DIB_GATE_POLICY"),
        "diskimage_validator_command": str(programs / "diskimage-validator"),
        "build_validated_diskimage_command": str(programs / "disk-image-create-validated"),
        "build_validated_diskimage_environment": environment,
        "build_diskimage_elements": ["tiny-root"],
        "diskimage_signing": {"private_key": PRIVATE},
        "diskimage_public_keys": [PUBLIC],
        "upload_validated_diskimage_role": "upload-image-s3",
        "diskimage_upload": {
            "endpoint": store.url,
            "bucket": folder.name,
            "aws_access_key": "zuul",
            "aws_secret_key": SECRET,
        },
    }
    return Build(zuul, folder / "build", variables)


@pytest.fixture(scope="module")
def built(
    zuul: Zuul, jobs: dict[str, Any], programs: Path, store: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> Build:
    """Return the finished build of a sound image, in the bucket ``sound``."""
    build = image_build(zuul, programs, store, tmp_path_factory.getbasetemp() / "sound")
    assert build.run(jobs["airgap-image-build"]), build.output
    return build


def test_a_validated_image_is_uploaded_with_its_checksums(built: Build, store: ObjectStore) -> None:
    stored = store.stored("sound")
    assert list(stored) == [f"{'b' * 32}-{NAME}.qcow2", f"{'b' * 32}-{NAME}.raw"]
    for artifact in built.artifacts("zuul_image"):
        content = stored[artifact["url"].rpartition("/")[2]]
        assert artifact["metadata"] == {
            "type": "zuul_image",
            "image_name": NAME,
            "format": artifact["url"].rpartition(".")[2],
            "sha256": hashlib.sha256(content).hexdigest(),
            "md5sum": hashlib.md5(content).hexdigest(),
        }
    assert len(built.artifacts("zuul_image")) == 2
    assert built.returned["zuul"]["warnings"] == []


def test_the_reports_are_links_into_the_logs_about_the_bytes_that_were_uploaded(built: Build) -> None:
    reports = built.artifacts("image_validation_report")
    assert {report["url"].rpartition("/")[2] for report in reports} == {
        f"{name}.{kind}" for name in ("root-report", "report-qcow2", "report-raw") for kind in ("html", "json")
    }
    assert all((built.logs / report["url"]).stat().st_size for report in reports)
    assert {report["metadata"]["verdict"] for report in reports} == {"passed"}
    uploaded = {image["metadata"]["sha256"] for image in built.artifacts("zuul_image")}
    assert {report["metadata"]["image_sha256"] for report in reports} == {*uploaded, ""}


def test_the_statements_are_signed_and_about_the_bytes_that_were_uploaded(built: Build) -> None:
    images = {image["metadata"]["format"]: image["metadata"]["sha256"] for image in built.artifacts("zuul_image")}
    for artifact in built.artifacts("image_statement"):
        envelope = json.loads((built.logs / artifact["url"]).read_text())
        assert len(envelope["signatures"]) == 1
        (folder,) = built.folder.glob("dib-images/*.d")
        written = (folder / f"statement-{artifact['metadata']['format']}.json").read_text()
        assert json.loads(written) == envelope
    assert {artifact["metadata"]["format"] for artifact in built.artifacts("image_statement")} == set(images)


def test_no_secret_is_in_the_most_talkative_log(built: Build) -> None:
    assert "Write a statement about every format" in built.output
    secret_lines = [line for line in PRIVATE.splitlines() if "-----" not in line]
    assert not any(secret in built.output for secret in [*secret_lines, SECRET])
    assert not any(secret_lines[0] in path.read_text(errors="replace") for path in built.logs.rglob("*.*"))


def test_where_nothing_else_is_said_the_upload_goes_to_swift(
    built: Build, zuul: Zuul, programs: Path, store: ObjectStore, tmp_path: Path
) -> None:
    """A raw image is there as zuul-jobs' role uploads it, compressed, with the checksums of what Zuul decompresses."""
    build = image_build(zuul, programs, store, tmp_path / "swift")
    images = shutil.copytree(built.folder / "dib-images", tmp_path / "images")
    del build.variables["upload_validated_diskimage_role"]
    auth = {"auth_url": store.url, "username": "zuul", "password": SECRET}
    build.variables["diskimage_upload"] = {"cloud_config": {"auth": auth}, "container": "swift"}
    build.variables["build_diskimage_image_root"] = str(images)
    assert build.play("playbooks/image-build/upload.yaml"), build.output
    stored = store.stored("swift")
    assert list(stored) == [f"{'b' * 32}-{NAME}.qcow2", f"{'b' * 32}-{NAME}.raw.zst"]
    artifacts = {artifact["metadata"]["format"]: artifact for artifact in build.artifacts("zuul_image")}
    for one in built.artifacts("zuul_image"):
        found = artifacts.pop(one["metadata"]["format"])
        assert found["metadata"] == one["metadata"]
        content = stored[found["url"].rpartition("/")[2]]
        if found["url"].endswith(".zst"):
            content = subprocess.run(["zstd", "-d"], input=content, stdout=subprocess.PIPE, check=True).stdout
        assert hashlib.sha256(content).hexdigest() == found["metadata"]["sha256"]
    assert artifacts == {}
    assert len(build.artifacts("image_statement")) == 2
    assert SECRET not in build.output


def test_an_image_that_does_not_pass_stops_before_the_upload(
    zuul: Zuul, jobs: dict[str, Any], programs: Path, store: ObjectStore, tmp_path: Path
) -> None:
    policy = POLICY.replace("required: [tiny-root]", "required: [tiny-root, skopeo]")
    build = image_build(zuul, programs, store, tmp_path / "failing", policy=policy)
    assert not build.run(jobs["airgap-image-build"])
    assert store.stored("failing") == {}
    assert not any("/failing/" in asked for asked in store.asked)
    (warning,) = build.returned["zuul"]["warnings"]
    assert warning.startswith("packages-required, critical: skopeo")
    assert build.artifacts("zuul_image") == build.artifacts("image_statement") == []
    assert {report["metadata"]["verdict"] for report in build.artifacts("image_validation_report")} == {"failed"}


def test_bytes_that_were_changed_after_the_verdict_are_not_uploaded(
    built: Build, zuul: Zuul, jobs: dict[str, Any], programs: Path, store: ObjectStore, tmp_path: Path
) -> None:
    build = image_build(zuul, programs, store, tmp_path / "changed")
    build.variables["build_diskimage_image_root"] = str(built.folder / "dib-images")
    image = built.folder / f"dib-images/{NAME}.raw"
    with image.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert not build.play("playbooks/image-build/upload.yaml")
    assert "refused: the image has sha256" in build.output
    assert store.stored("changed") == {}


def test_a_signing_key_that_is_none_stops_before_the_upload_and_is_not_logged(
    built: Build, zuul: Zuul, programs: Path, store: ObjectStore, tmp_path: Path
) -> None:
    build = image_build(zuul, programs, store, tmp_path / "unsigned")
    build.variables["build_diskimage_image_root"] = str(built.folder / "dib-images")
    build.variables["diskimage_signing"] = {"private_key": SECRET}
    assert not build.play("playbooks/image-build/upload.yaml")
    assert "standard input is no private key" in build.output
    assert SECRET not in build.output
    assert store.stored("unsigned") == {}


@pytest.mark.parametrize(("distribution", "passed"), [("debian", True), ("gentoo", False)])
def test_a_node_is_judged_as_it_runs(
    zuul: Zuul, jobs: dict[str, Any], programs: Path, tmp_path: Path, distribution: str, passed: bool
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"version: 1\nname: node\nos:\n  any: [{{id: {distribution}}}]\n")
    variables = {
        "diskimage_policy": str(policy),
        "diskimage_validator_command": str(programs / "diskimage-validator"),
    }
    build = Build(zuul, tmp_path / "build", variables)
    assert build.run(jobs["airgap-image-validate"]) is passed, build.output
    assert len(build.returned["zuul"]["warnings"]) == (not passed)
    reports = {report["metadata"]["format"]: report for report in build.artifacts("image_validation_report")}
    assert json.loads((build.logs / reports["json"]["url"]).read_text())["target"]["name"] == "/"
    assert reports["html"]["metadata"]["verdict"] == ("passed" if passed else "failed")
