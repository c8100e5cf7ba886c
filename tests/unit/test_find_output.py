"""The fields of find(1), against what find itself says of real files."""

import os
import subprocess
from pathlib import Path

import pytest

from diskimage_validator.engines.find_output import STAT_FIELDS, TYPES, parse_stat

SECOND = 10**9


@pytest.mark.parametrize("moment", [0, 1, SECOND - 1, 1_763_000_001 * SECOND - 1, -1, -SECOND, -2 * SECOND + 5, 2**33])
def test_a_file_is_what_lstat_says(moment: int, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"four")
    file.chmod(0o4751)
    os.utime(file, ns=(moment, moment))
    told = subprocess.run(["find", str(file), "-printf", STAT_FIELDS], capture_output=True, text=True, check=True)
    entry, real = parse_stat(*told.stdout.split(" ")), os.lstat(file)
    assert (entry.mode, entry.uid, entry.gid, entry.size) == (real.st_mode, real.st_uid, real.st_gid, 4)
    assert entry.mtime == moment // SECOND


def test_every_type_has_its_letter(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("nowhere")
    os.mkfifo(tmp_path / "p")
    for name in ("f", "d", "l", "p"):
        assert TYPES[name] == os.lstat(tmp_path / name).st_mode & 0o170000


@pytest.mark.parametrize(
    "words", [("x", "644", "0", "0", "1", "0.0"), ("f", "9", "0", "0", "1", "0"), ("f", "", "0", "0", "1", "now")]
)
def test_what_find_does_not_say_is_an_error(words: tuple[str, str, str, str, str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        parse_stat(*words)
