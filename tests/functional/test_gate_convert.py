"""The real image's disk in several formats, as the gate makes them: QEMU and the validator read what it holds."""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airgap_image_factory.gate.convert import Converted, Output, convert
from tests.functional.conftest import BuiltImage, RunValidator


@pytest.fixture(scope="module")
def disk(node_image: BuiltImage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    raw = tmp_path_factory.mktemp("disk") / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(node_image.path), str(raw)], check=True)
    yield raw
    raw.unlink()


@pytest.fixture(scope="module")
def converted(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Converted]]:
    """What nodepool-builder asks for, the same with zstd, and a format that the validator does not read."""
    folder = tmp_path_factory.mktemp("converted")
    outputs = {
        "zlib": Output("qcow2", folder / "zlib.qcow2", "compat=0.10", checksum=True),
        "zstd": Output("qcow2", folder / "zstd.qcow2", checksum=True),
        "vmdk": Output("vmdk", folder / "node.vmdk", checksum=True),
    }
    done = convert(disk, list(outputs.values()), progress=print)
    yield dict(zip(outputs, done, strict=True))
    for output in outputs.values():
        output.path.unlink()


@pytest.mark.parametrize("name", ["zlib", "zstd", "vmdk"])
def test_it_holds_what_the_disk_holds(disk: Path, converted: dict[str, Converted], name: str) -> None:
    output = converted[name].output
    command = ["qemu-img", "compare", "-f", "raw", "-F", output.format, str(disk), str(output.path)]
    subprocess.run(command, check=True)
    with output.path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == converted[name].digests["sha256"]


@pytest.mark.parametrize("name", ["zlib", "zstd"])
def test_the_validator_passes_it(converted: dict[str, Converted], run_validator: RunValidator, name: str) -> None:
    image = converted[name]
    subprocess.run(["qemu-img", "check", "-q", "-f", "qcow2", str(image.output.path)], check=True)
    verdict = run_validator(image.output.path, "--engine", "direct")
    assert verdict.status == 0, verdict.failed()
    assert verdict.report["target"]["sha256"] == image.digests["sha256"]
