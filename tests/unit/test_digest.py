"""The digest of an image: of its bytes, beside the reading, and of a file that nobody changes meanwhile."""

import gc
import hashlib
import os
from pathlib import Path

import pytest

from diskimage_validator import digest
from diskimage_validator.digest import Digest, begin, digest_of
from diskimage_validator.errors import EngineError, TargetError
from diskimage_validator.image_file import sha256_of
from diskimage_validator.process.beside import Background

CONTENT = b"image " * 1_000_000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "node.raw"
    path.write_bytes(CONTENT)
    return path


def descriptors() -> set[str]:
    return {str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}


def test_it_is_the_sha256_of_the_bytes_and_can_be_asked_for_again(image: Path) -> None:
    found = Digest(image)
    assert found.result() == hashlib.sha256(CONTENT).hexdigest()
    assert found.result() == sha256_of(image)
    assert str(image) not in descriptors()


@pytest.mark.parametrize("change", [b"I", b"longer " * 1_000_000])
def test_a_file_that_is_written_to_meanwhile_has_no_digest(image: Path, change: bytes) -> None:
    found = Digest(image)
    with image.open("r+b") as file:
        file.write(change)
    with pytest.raises(TargetError, match="the file changed while it was read"):
        found.result()


def test_nothing_is_left_when_nobody_has_it_any_more(image: Path) -> None:
    found = Digest(image)
    assert str(image) in descriptors()
    del found
    gc.collect()
    assert str(image) not in descriptors()


def test_giving_up_twice_is_harmless(image: Path) -> None:
    found = Digest(image)
    found.stop()
    found.stop()
    assert str(image) not in descriptors()


def test_one_that_was_begun_is_the_one_that_is_asked_for(image: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(image.name)
    assert begin(tmp_path / "link")
    (begun,) = digest._begun.values()
    assert digest_of(image) is begun
    assert digest_of(image) is not begun


@pytest.mark.parametrize("name", ["nonesuch", "folder", "pipe", "a\0b"])
def test_what_is_no_regular_file_is_not_begun_and_does_not_hang(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert not begin(tmp_path / name)
    assert digest._begun == {}


def test_a_program_that_fails_is_an_error(image: Path) -> None:
    with image.open("rb") as file, pytest.raises(EngineError, match="false ended with status 1"):
        Background(["false"], stdin=file.fileno()).result()
