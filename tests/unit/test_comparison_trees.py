"""Two trees: each kind of difference is found, under its own name, and nothing else is."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from diskimage_validator.comparison.trees import ABSENT, Difference, Entry, compare, snapshot
from diskimage_validator.engines.base import Engine
from tests.support.memory_engine import File, Link, MemoryEngine
from tests.support.snapshot_folder import snapshot_folder

DATE = 1_700_000_000


def make_tree(root: Path) -> Path:
    (root / "etc").mkdir(parents=True)
    (root / "etc/file").write_text("content")
    (root / "etc/link").symlink_to("file")
    (root / "etc/empty").mkdir()
    for folder, folders, files in os.walk(root, topdown=False):
        for name in (*folders, *files):
            os.utime(Path(folder) / name, (DATE, DATE), follow_symlinks=False)
    os.utime(root, (DATE, DATE))
    return root


def snapshot_engine(engine: Engine) -> dict[str, Entry]:
    return snapshot(engine, content=lambda path: True)


def differing_fields(found: list[Difference]) -> set[tuple[str, str]]:
    return {(difference.path, difference.field) for difference in found}


@pytest.fixture
def compare_with(tmp_path: Path) -> Callable[[Callable[[Path], None]], list[Difference]]:
    """Compare a tree with one that differs by what ``change`` does to it; its folders' dates are put back."""

    def compare_after(change: Callable[[Path], None]) -> list[Difference]:
        left, right = make_tree(tmp_path / "left"), make_tree(tmp_path / "right")
        change(right)
        for folder in (right, right / "etc"):
            os.utime(folder, (DATE, DATE))
        return compare(snapshot_folder(left), snapshot_folder(right))

    return compare_after


def rewrite(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (DATE, DATE))


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)
    os.utime(path, (DATE, DATE), follow_symlinks=False)


CHANGES: dict[str, tuple[Callable[[Path], None], set[tuple[str, str]]]] = {
    "nothing": (lambda root: None, set()),
    "content": (lambda root: rewrite(root / "etc/file", "CONTENT"), {("/etc/file", "content")}),
    "size": (lambda root: rewrite(root / "etc/file", "more"), {("/etc/file", "content"), ("/etc/file", "size")}),
    "mode": (lambda root: (root / "etc/file").chmod(0o4755), {("/etc/file", "mode")}),
    "owner": (lambda root: os.chown(root / "etc/file", 7, 0), {("/etc/file", "uid")}),
    "group": (lambda root: os.chown(root / "etc/link", 0, 7, follow_symlinks=False), {("/etc/link", "gid")}),
    "target": (lambda root: relink(root / "etc/link", "file/"), {("/etc/link", "content")}),
    "date": (lambda root: os.utime(root / "etc/empty", (0, 0)), {("/etc/empty", "mtime")}),
    "date of a link": (
        lambda root: os.utime(root / "etc/link", (0, 0), follow_symlinks=False),
        {("/etc/link", "mtime")},
    ),
    "absence": (lambda root: (root / "etc/empty").rmdir(), {("/etc/empty", "path")}),
    "attribute": (lambda root: os.setxattr(root / "etc/file", "trusted.x", b"1"), {("/etc/file", "attributes")}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_named_by_path_and_field(
    name: str, compare_with: Callable[[Callable[[Path], None]], list[Difference]]
) -> None:
    change, expected = CHANGES[name]
    assert differing_fields(compare_with(change)) == expected


def test_a_second_name_of_a_file_is_a_difference(tmp_path: Path) -> None:
    left, right = make_tree(tmp_path / "left"), make_tree(tmp_path / "right")
    (left / "etc/twin").write_text("content")
    (right / "etc/twin").hardlink_to(right / "etc/file")
    fields = differing_fields(compare(snapshot_folder(left), snapshot_folder(right)))
    assert {("/etc/twin", "links"), ("/etc/file", "links")} <= fields


def test_device_numbers_count(tmp_path: Path) -> None:
    for name, minor in (("left", 3), ("right", 5)):
        make_tree(tmp_path / name)
        os.mknod(tmp_path / name / "null", 0o20666, os.makedev(1, minor))
        os.utime(tmp_path / name / "null", (DATE, DATE))
        os.utime(tmp_path / name, (DATE, DATE))
    (found,) = compare(snapshot_folder(tmp_path / "left"), snapshot_folder(tmp_path / "right"))
    assert str(found) == "/null: content: 1:3 | 1:5"


def test_a_file_in_place_of_a_folder_is_a_difference_of_mode_and_size(tmp_path: Path) -> None:
    left, right = MemoryEngine({"/x/y": ""}), MemoryEngine({"/x": ""})
    found = compare(snapshot_engine(left), snapshot_engine(right))
    assert differing_fields(found) == {("/x", "mode"), ("/x", "size"), ("/x", "content"), ("/x/y", "path")}
    assert found[-1] == Difference("/x/y", "path", "present", ABSENT)


def test_an_engine_gives_what_a_folder_gives(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/file").write_bytes(b"x" * 3_000_000)
    (tmp_path / "etc/link").symlink_to("../etc/file")
    for path in (tmp_path / "etc/file", tmp_path / "etc/link", tmp_path / "etc", tmp_path):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (0, 0), follow_symlinks=False)
    engine = MemoryEngine({"/etc/file": File(b"x" * 3_000_000), "/etc/link": Link("../etc/file")})
    assert compare(snapshot_engine(engine), snapshot_folder(tmp_path)) == []


def test_an_engine_reads_files_of_any_size_in_parts() -> None:
    content = bytes(range(256)) * 10_000
    (entry,) = [
        entry for path, entry in snapshot_engine(MemoryEngine({"/big": File(content)})).items() if path == "/big"
    ]
    assert entry.content == hashlib.sha256(content).hexdigest()
    assert entry.size == len(content)


def test_a_snapshot_does_not_follow_links_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "root/link").symlink_to(tmp_path)
    assert set(snapshot_folder(tmp_path / "root")) == {"/", "/link"}


def test_without_content_only_metadata_is_compared() -> None:
    left, right = (snapshot(MemoryEngine({"/a": text}), content=lambda path: False) for text in ("1", "2"))
    assert compare(left, right) == []
