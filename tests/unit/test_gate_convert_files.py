"""The parts of a conversion: digests, names of options, room, and where files are in the making."""

import hashlib
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from airgap_image_factory.gate.checksums import PIECE, digests, write_checksums
from airgap_image_factory.gate.formats import compression_for, options_for
from airgap_image_factory.gate.room import data_size
from airgap_image_factory.gate.workspace import PREFIX, move_old_aside, put_in_place, remove_stale, workspace

CONTENT = b"content\n" * 1000


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 5 * PIECE + 7])
def test_digests_at_the_edges_of_a_piece(tmp_path: Path, size: int) -> None:
    file = tmp_path / "file"
    content = (bytes(range(251)) * (size // 251 + 1))[:size]
    file.write_bytes(content)
    assert digests(file) == {
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.parametrize("name", ["node.raw", "with space.raw", "back\\slash.raw", "line\nend.raw"])
def test_checksum_files_are_those_of_the_programs(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(CONTENT)
    for written in write_checksums(file, digests(file), name=name):
        program = f"{written.suffix.removeprefix('.')}sum"
        said = subprocess.run([program, name], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert written.read_text() == said
        assert subprocess.run([program, "--check", "--quiet", str(written)], cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("compat=0.10", "compat=0.10"),
        ("compat=0.10,,x", "compat=0.10,,x"),
        ("", ""),
        ("size=5G,cluster_size=4k", "size=5G,cluster_size=4k"),
    ],
)
def test_options_stay_as_they_were_said(options: str, expected: str) -> None:
    assert options_for("qcow2", options) == expected


def test_zstd_is_chosen_where_nothing_else_was() -> None:
    assert compression_for("qcow2", "") == "compression_type=zstd"
    assert compression_for("qcow2", "lazy_refcounts=on") == "lazy_refcounts=on,compression_type=zstd"
    assert compression_for("vmdk", "") == ""


def test_the_data_of_a_sparse_file(tmp_path: Path) -> None:
    file = tmp_path / "disk"
    with file.open("wb") as stream:
        stream.truncate(1 << 30)
        stream.seek(1 << 20)
        stream.write(b"x" * (1 << 20))
    assert data_size(file) == 1 << 20
    file.write_bytes(b"")
    assert data_size(file) == 0


def test_a_workspace_is_hidden_private_and_gone(tmp_path: Path) -> None:
    with workspace(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".")
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "node.qcow2").write_bytes(CONTENT)
        remove_stale(tmp_path, PREFIX, shutil.rmtree)
        assert (folder / "node.qcow2").exists(), "somebody works there"
    assert list(tmp_path.iterdir()) == []


def test_no_link_is_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").touch()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    remove_stale(tmp_path, PREFIX, shutil.rmtree)
    assert (other / "file").exists()


def test_an_old_image_goes_aside_with_its_checksums(tmp_path: Path) -> None:
    for suffix in ("", ".md5", ".sha256"):
        (tmp_path / f"node.qcow2{suffix}").write_text(suffix)
    now = datetime(2026, 1, 31, 12, 5, 9).astimezone()
    assert move_old_aside(tmp_path / "node.qcow2", now) == tmp_path / "node-2026.01.31-12.05.09.qcow2"
    names = {path.name.removeprefix("node-2026.01.31-12.05.09.qcow2"): path.read_text() for path in tmp_path.iterdir()}
    assert names == {"": "", ".md5": ".md5", ".sha256": ".sha256"}
    assert move_old_aside(tmp_path / "node.qcow2", now) is None


def test_a_file_is_put_in_place_with_its_checksums(tmp_path: Path) -> None:
    made, image = tmp_path / "made", tmp_path / "node.raw"
    made.write_bytes(CONTENT)
    write_checksums(made, {"sha256": "0" * 64}, name="node.raw")
    image.write_text("old")
    image.with_name("node.raw.md5").write_text("old")
    put_in_place(made, image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["node.raw", "node.raw.sha256"]
    assert image.read_bytes() == CONTENT
