"""What a reader of ext says beforehand that it will read: it is on the volume, and it is read."""

from pathlib import Path

import pytest

from diskimage_validator.engines.direct.ext import ExtFilesystem
from diskimage_validator.engines.direct.ext.volume import WINDOW
from tests.support import ext_images
from tests.support.ext_images import MIB

VARIANTS = {
    "ext4": ("-t", "ext4", "-b", "4096"),
    "ext4, 1k": ("-t", "ext4", "-b", "1024"),
    "ext2, 2k": ("-t", "ext2", "-b", "2048"),
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of 600 folders with a few files each."""
    root = tmp_path_factory.mktemp("tree")
    for number in range(600):
        folder = root / f"{number % 20:02}" / f"{number:03}"
        folder.mkdir(parents=True)
        for name in ("a", "b", "c"):
            (folder / name).write_text(name)
    return root


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_walk_says_what_comes_next(source: Path, tmp_path: Path, variant: str) -> None:
    content = ext_images.make(tmp_path / "disk", *VARIANTS[variant], tree=source, size=48 * MIB).read_bytes()
    expected: set[int] = set()
    surprises: list[int] = []

    def read(offset: int, length: int) -> bytes:
        if offset not in expected:
            surprises.append(offset // WINDOW)
        return content[offset : offset + length]

    def expect(offset: int, length: int) -> None:
        assert 0 <= offset < offset + length <= len(content)
        expected.add(offset)

    found = ExtFilesystem(read, len(content), expect)
    opening = len(surprises)
    pending, names = ["/"], 0
    while pending:
        folder = pending.pop()
        entries = sorted(found.scan(folder))
        names += len(entries)
        pending += [f"{folder.rstrip('/')}/{name}" for name, entry in entries if entry.is_dir]
    assert names == 600 + 20 + 1800 + 1
    assert len(expected) > 20
    assert len(surprises) - opening <= 3, "the root, and little else, has to be waited for"


def test_what_is_not_on_the_volume_is_not_expected(tmp_path: Path) -> None:
    (tmp_path / "tree/folder").mkdir(parents=True)
    image = ext_images.make(tmp_path / "disk", "-t", "ext2", "-b", "1024", tree=tmp_path / "tree")
    ext_images.change(image, "set_inode_field folder block[0] 4000000000")
    content = image.read_bytes()

    def expect(offset: int, length: int) -> None:
        assert 0 <= offset < offset + length <= len(content)

    def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    found = ExtFilesystem(read, len(content), expect)
    assert "folder" in dict(found.scan("/"))
