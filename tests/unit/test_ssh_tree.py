"""The list of files that find(1) gives, and the mounts that the kernel tells."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.ssh.mounts import kernel_mounts
from diskimage_validator.engines.ssh.tree import find_command, parse_find
from diskimage_validator.errors import EngineError

LINE = b"=f 644 0 0 3 1.5\0/a\0\0"
ROOT = b"=d 755 0 0 4096 1.0\0/\0\0"


def find(folder: Path, *empty: str) -> tuple[bytes, bytes]:
    """Run the command on a folder as if it were the root."""
    command = [f"{folder}{part}" if part in empty or part == "/" else part for part in find_command(empty)]
    done = subprocess.run(command, check=False, capture_output=True, env={"PATH": os.environ["PATH"], "LC_ALL": "C"})
    prefix = os.fsencode(folder)
    return done.stdout.replace(b"\0" + prefix + b"/", b"\0/"), done.stderr


def test_what_find_says_is_what_the_folder_has(tmp_path: Path) -> None:
    (tmp_path / "folder/deeper").mkdir(parents=True)
    (tmp_path / "folder/new\nline = f 644").write_text("x")
    Path(f"{tmp_path}/not-utf8-\udcff").write_text("xyz")
    (tmp_path / "link").symlink_to("some where\nelse")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/hidden").touch()
    output, errors = find(tmp_path, "/empty")
    tree = parse_find(output, errors)
    with DirectoryEngine(tmp_path) as engine:
        expected = dict(engine.walk("/"))
    del expected["/empty/hidden"]
    assert {path: entry for path, entry in tree.entries.items() if path != "/"} == expected
    assert tree.links == {"/link": "some where\nelse"}
    assert sorted(tree.names["/folder"]) == ["deeper", "new\nline = f 644"]
    assert tree.closed == set()


def test_a_folder_that_may_not_be_entered_is_closed() -> None:
    assert parse_find(ROOT + b"!d 700 0 0 4096 1.0\0/root\0\0").closed == {"/root"}
    assert parse_find(ROOT, b"find: '/proc/1/fd': Permission denied\n").closed == {"/proc/1/fd"}


def test_what_vanished_meanwhile_is_no_error() -> None:
    assert parse_find(ROOT, b"find: '/tmp/x': No such file or directory\n").closed == set()


@pytest.mark.parametrize(
    "errors",
    [
        b"find: '/x': Input/output error\n",
        b"find: '/a\\\\b': Permission denied\n",
        b"find: '/a'$'\\n''b': Permission denied\n",
        b"find: unknown predicate '-printf'\n",
        b"\xff\n",
    ],
)
def test_anything_else_that_find_complains_of_makes_the_list_worthless(errors: bytes) -> None:
    with pytest.raises(EngineError, match="find on the node"):
        parse_find(ROOT + LINE, errors)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        ROOT[:-1],
        ROOT + b"x",
        LINE,  # without the root
        ROOT + b"=f 999 0 0 3 1.5\0/a\0\0",
        ROOT + b"=? 644 0 0 3 1.5\0/a\0\0",
        ROOT + b"=f 644 0 0 3\0/a\0\0",
        ROOT + b"=f 644 0 0 3 inf\0/a\0\0",
        ROOT + b"=f 644 0 0 3 nan\0/a\0\0",
    ],
)
def test_what_is_no_list_is_an_error(output: bytes) -> None:
    with pytest.raises(EngineError):
        parse_find(output)


@given(st.binary(max_size=300), st.binary(max_size=100))
def test_no_answer_breaks_the_parser(output: bytes, errors: bytes) -> None:
    for text in (output, ROOT + output, ROOT + LINE[:20] + output + b"\0\0"):
        try:
            assert "/" in parse_find(text, errors).entries
        except EngineError:
            continue


MOUNTINFO = b"""\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 0:6 / /dev rw - devtmpfs udev rw
25 22 8:1 /run /run rw - ext4 /dev/sda1 rw
26 22 0:30 / /srv/with\\040space rw - tmpfs tmpfs rw
"""


def test_folders_of_the_kernel_are_those_on_another_device() -> None:
    assert kernel_mounts(MOUNTINFO) == {"/proc", "/dev"}
    assert kernel_mounts(b"") == frozenset()
    assert "/proc" in kernel_mounts(Path("/proc/self/mountinfo").read_bytes())


def test_the_last_mount_at_a_place_counts() -> None:
    assert "/run" in kernel_mounts(MOUNTINFO + b"27 22 0:40 / /run rw - tmpfs tmpfs rw\n")


@given(st.binary(max_size=300))
def test_no_mountinfo_breaks_the_parser(text: bytes) -> None:
    assert kernel_mounts(text) <= {"/proc", "/sys", "/dev", "/run"}
