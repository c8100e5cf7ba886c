"""Damage of any kind: what is read is right, or DeclinedError; in a bounded time."""

import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.errors import DeclinedError
from tests.support import ext_images

SIZE = 1024 * 1024
BLOCK = 1024
MOST = 500
"""Entries that are looked at in a damaged file system: the sound one has 120."""
KINDS = {
    "ext2": ("-t", "ext2"),
    "ext4": ("-t", "ext4", "-O", "^has_journal"),
    "no checksums": ("-t", "ext4", "-O", "^has_journal,^metadata_csum"),
    "checksums of groups": ("-t", "ext4", "-O", "^has_journal,^metadata_csum,uninit_bg", "-I", "128"),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@cache
def image(kind: str) -> tuple[bytes, dict[str, int]]:
    """Return a small file system, and where in it some blocks are, in bytes."""
    with TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        (tree / "many").mkdir(parents=True)
        for number in range(100):
            (tree / "many" / f"{number:04}-{'n' * 40}").touch()
        with (tree / "holes").open("wb") as file:
            for number in range(12):
                file.seek(number * 8192)
                file.write(b"content!" * 512)
        (tree / "long").symlink_to("text" * 30)
        (tree / "short").symlink_to("text")
        path = ext_images.make(
            Path(folder) / "image", *KINDS[kind], "-b", str(BLOCK), "-N", "256", tree=tree, size=SIZE
        )
        ext_images.index(path)
        blocks = {
            "directory": "bmap / 0",
            "index": "bmap /many 0",
            "names": "bmap /many 1",
            "inode": "imap /holes",
            "map": "ex /holes" if "ext4" in KINDS[kind] else "stat /holes",
        }
        patterns = {"inode": r"located at block (\d+), offset 0x(\w+)", "map": r"0/ 1 .*-\s+\d+\s+(\d+)|\(IND\):(\d+)"}
        places = {}
        for name, command in blocks.items():
            told = ext_images.run("debugfs", "-R", command, str(path))
            found = re.search(patterns.get(name, r"^(\d+)"), told)
            assert found, told
            block, offset = (*[part for part in found.groups() if part], "0")[:2]
            places[name] = int(block) * BLOCK + int(offset, 16)
        return path.read_bytes(), places


def explore(content: bytes) -> int:
    """Read all there is and return the number of entries."""
    system = ext_images.opened(content)
    pending, seen = ["/"], 0
    while pending and seen < MOST:
        folder = pending.pop()
        names = sorted(system.listdir(folder))
        found = system.scan(folder)
        assert sorted(name for name, _ in found) == names
        for name, entry in found:
            seen += 1
            path = f"{folder.rstrip('/')}/{name}"
            assert system.lstat(path) == entry
            if entry.is_dir:
                pending.append(path)
            elif entry.is_link:
                assert system.readlink(path)
            elif entry.is_file:
                for start in (0, entry.size // 2, max(entry.size - 5000, 0)):
                    part = system.read_file(path, start, 200_000)
                    assert len(part) == min(entry.size - start, 200_000)
    return seen


@each_kind
def test_the_sound_ones_are_read(kind: str) -> None:
    assert explore(image(kind)[0]) == 105


@pytest.mark.parametrize("name", ["directory", "index", "names", "inode", "map"])
def test_no_wrong_checksum_goes_unnoticed(name: str) -> None:
    content, places = image("ext4")
    damaged = bytearray(content)
    for at in range(places[name], places[name] + (256 if name == "inode" else 44), 3):
        damaged[at] ^= 0x10
        with pytest.raises(DeclinedError):
            explore(bytes(damaged))
        damaged[at] ^= 0x10


Changes = list[tuple[str, int, int]]
PLACES = st.sampled_from(["superblock", "groups", "directory", "index", "names", "inode", "map", "anywhere"])
NUMBERS = st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 2, 4, 0x7F, 0x80, 0xFF]))
CHANGES = st.lists(st.tuples(PLACES, st.integers(0, SIZE - 1), NUMBERS), min_size=1, max_size=5)


@each_kind
@settings(max_examples=250)
@given(changes=CHANGES)
def test_bytes_that_were_changed_are_read_or_declined(kind: str, changes: Changes) -> None:
    content, places = image(kind)
    starts = {**places, "superblock": 1024, "groups": 2048, "anywhere": 0}
    damaged = bytearray(content)
    for name, at, value in changes:
        reach = {"anywhere": SIZE, "inode": 128, "groups": 64, "map": 64}.get(name, BLOCK)
        damaged[starts[name] + at % reach] = value
    with suppress(DeclinedError):
        explore(bytes(damaged))
