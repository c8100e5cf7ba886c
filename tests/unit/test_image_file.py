import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from diskimage_validator import digest, image_file
from diskimage_validator.errors import TargetError, UsageError
from diskimage_validator.image_file import begin, examine

MIB = 1024 * 1024


def create(path: Path, *options: str, size: str = "10M") -> Path:
    subprocess.run(["qemu-img", "create", "-q", *options, str(path), size], check=True)
    return path


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["compat=1.1"], id="v3"),
        pytest.param(["compat=0.10"], id="v2, as nodepool-builder makes it"),
        pytest.param(["compression_type=zstd"], id="zstd"),
    ],
)
def test_a_plain_qcow2_passes(tmp_path: Path, options: list[str]) -> None:
    image = create(tmp_path / "node.qcow2", "-f", "qcow2", "-o", *options)
    facts = examine(image)
    assert (facts.format, facts.virtual_size, facts.notes) == ("qcow2", 10 * MIB, ())
    assert facts.file_size == image.stat().st_size
    assert facts.sha256 == hashlib.sha256(image.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("options", "compression"), [([], "none"), (["-c"], "zlib"), (["-c", "-o", "compression_type=zstd"], "zstd")]
)
def test_compression_is_that_of_the_clusters(tmp_path: Path, options: list[str], compression: str) -> None:
    (tmp_path / "node.raw").write_bytes(b"text " * 100_000)
    image = tmp_path / "node.qcow2"
    subprocess.run(["qemu-img", "convert", *options, "-O", "qcow2", str(tmp_path / "node.raw"), str(image)], check=True)
    facts = examine(image)
    assert (facts.compat, facts.compression, facts.cluster_size) == ("1.1", compression, 65536)


def test_an_old_qcow2_says_so(tmp_path: Path) -> None:
    facts = examine(create(tmp_path / "node.qcow2", "-f", "qcow2", "-o", "compat=0.10"))
    assert (facts.compat, facts.compression) == ("0.10", "none")


def test_a_raw_disk_with_a_partition_table_passes(tmp_path: Path) -> None:
    image = create(tmp_path / "node.raw", "-f", "raw")
    subprocess.run(["sfdisk", "-q", str(image)], input=b"label: gpt\n,,L\n", check=True)
    assert examine(image).format == "raw"
    assert examine(image, image_format="raw").format == "raw"


def test_a_link_to_an_image_is_followed_on_the_host(tmp_path: Path) -> None:
    create(tmp_path / "node.qcow2", "-f", "qcow2")
    (tmp_path / "latest.qcow2").symlink_to("node.qcow2")
    assert examine(tmp_path / "latest.qcow2").path == tmp_path / "node.qcow2"


def refused(image: Path, image_format: str | None = None) -> str:
    with pytest.raises(TargetError) as caught:
        examine(image, image_format=image_format)
    return caught.value.message


def test_a_backing_file_is_refused(tmp_path: Path) -> None:
    image = create(tmp_path / "evil.qcow2", "-f", "qcow2", "-b", "/etc/passwd", "-F", "raw")
    assert "backing file" in refused(image)


def test_an_external_data_file_is_refused(tmp_path: Path) -> None:
    image = create(tmp_path / "evil.qcow2", "-f", "qcow2", "-o", f"data_file={tmp_path}/data,data_file_raw=on")
    assert "external data file" in refused(image)


def test_an_unknown_feature_is_refused(tmp_path: Path) -> None:
    image = create(tmp_path / "new.qcow2", "-f", "qcow2", "-o", "extended_l2=on")
    assert "features that are not known" in refused(image)


@pytest.mark.parametrize("kind", ["luks", "aes"])
def test_an_encrypted_image_is_refused(tmp_path: Path, kind: str) -> None:
    image = tmp_path / "secret.qcow2"
    options = ["--object", "secret,id=s,data=secret", "-o", f"encrypt.format={kind},encrypt.key-secret=s"]
    command = ["qemu-img", "create", "-q", *options, "-f", "qcow2", str(image), "10M"]
    # QEMU times the key derivation and gives up ("accurate CPU usage") when the clock is too coarse for a moment.
    assert any(subprocess.run(command, check=False).returncode == 0 for _ in range(50))
    assert "encrypted" in refused(image)


def test_a_corrupt_image_is_refused(tmp_path: Path) -> None:
    image = create(tmp_path / "node.qcow2", "-f", "qcow2")
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write 0 1M", str(image)], check=True, stdout=subprocess.DEVNULL)
    with image.open("r+b") as file:
        # The first refcount block says that nothing is in use (qcow2 specification, "Host cluster management").
        file.seek(int.from_bytes(file.read(56)[48:56], "big"))
        block = int.from_bytes(file.read(8), "big")
        file.seek(block)
        file.write(bytes(64))
    assert "corrupt" in refused(image)


def test_another_format_is_refused_by_name(tmp_path: Path) -> None:
    assert "vmdk is not supported" in refused(create(tmp_path / "node.vmdk", "-f", "vmdk"))


def test_a_stated_format_must_be_the_headers(tmp_path: Path) -> None:
    image = create(tmp_path / "node.qcow2", "-f", "qcow2")
    assert "stated to be raw, but its header says qcow2" in refused(image, "raw")


def test_a_disk_whose_content_looks_like_a_qcow2_is_never_read_as_one_when_raw_is_stated(tmp_path: Path) -> None:
    # A guest can write a qcow2 header with a backing file to the first sector of its raw disk.
    image = create(tmp_path / "guest.raw", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw")
    assert "its header says qcow2" in refused(image, "raw")


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    image = create(tmp_path / "node.qcow2", "-f", "qcow2")
    os.truncate(image, 70_000)
    assert refused(image)


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo"])
def test_what_is_no_file_is_a_usage_error(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "target"
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(UsageError, match=r"target: (no such file|not a regular file)"):
        examine(path)


def test_an_unknown_stated_format_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'vhd' is not supported"):
        examine(create(tmp_path / "node.raw", "-f", "raw"), image_format="vhd")


def test_an_examination_that_was_begun_is_the_one_that_is_asked_for(tmp_path: Path) -> None:
    image = create(tmp_path / "node.qcow2", "-f", "qcow2")
    assert digest.begin(image)
    begin(image, image_format=None)
    (begun,) = image_file._begun.values()
    assert examine(image) is begun.result()
    assert image_file._begun == {}
    assert examine(image) == begun.result()


def test_what_an_examination_raises_is_raised_where_it_is_waited_for(tmp_path: Path) -> None:
    image = create(tmp_path / "node.vmdk", "-f", "vmdk")
    assert digest.begin(image)
    begin(image, image_format=None)
    with pytest.raises(TargetError, match="image format vmdk is not supported"):
        examine(image)
