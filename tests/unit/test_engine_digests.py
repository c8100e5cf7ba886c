"""Digests of files: the same whoever adds them up, for all names that a file can have."""

import hashlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.engines import checksums
from diskimage_validator.engines.appliance_digests import LONGEST
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.errors import DeclinedError, EntryNotFoundError, TargetError
from tests.support.memory_engine import Broken, Folder, Link, MemoryEngine

NAMES = ["plain", "with space", "new\nline", "back\\slash", "-z", "$(touch x)", "'", "\udcff", " ", "*", "é"]


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def run(command: str, stdin: bytes) -> bytes:
    """Run what a target is asked to run."""
    return subprocess.run(["sh", "-c", command], input=stdin, check=False, capture_output=True).stdout


def made(folder: Path) -> dict[str, str]:
    """Make a file for every name; return path to digest."""
    found = {}
    for name in NAMES:
        path = f"{folder}/{name}"
        Path(path).write_bytes(name.encode(errors="surrogateescape"))
        found[path] = md5(os.fsencode(name))
    return found


def test_coreutils_tell_the_digests_of_files_with_any_name(tmp_path: Path) -> None:
    wanted = made(tmp_path)
    asked = [*wanted, f"{tmp_path}/absent", str(tmp_path)]
    output = run(f"base64 -d | {checksums.command('md5')}", checksums.encode(asked))
    assert checksums.parse(output, "md5") == wanted


def test_names_that_are_packed_arrive_as_well(tmp_path: Path) -> None:
    wanted = made(tmp_path)
    (word,) = checksums.packed(list(wanted), LONGEST)
    output = run(f"printf %s {word} | base64 -d | gzip -dc | {checksums.command('md5')}", b"")
    assert checksums.parse(output, "md5") == wanted


def test_many_names_go_in_several_words_and_none_is_too_long() -> None:
    paths = [f"/{hashlib.sha256(bytes([number])).hexdigest()}" for number in range(200)]
    words = list(checksums.packed(paths, 2000))
    assert len(words) > 1
    assert max(map(len, words)) <= 2000
    names = b"".join(run(f"printf %s {word} | base64 -d | gzip -dc", b"") for word in words)
    assert names.decode().split("\0")[:-1] == paths
    assert list(checksums.packed(["/" + os.urandom(5000).hex()], 2000)) == []


def test_nothing_asked_is_nothing_told() -> None:
    assert run(f"base64 -d | {checksums.command('sha256')}", checksums.encode([])) == b""


@pytest.mark.parametrize("output", [b"", b"x\0", b"0" * 31 + b"  a\0", b"0" * 32 + b"  a", b"0" * 64 + b"  a\0"])
def test_what_is_no_digest_of_that_kind_is_left_out(output: bytes) -> None:
    assert checksums.parse(output, "md5") == {}


@given(st.binary())
def test_no_answer_breaks_the_parser(output: bytes) -> None:
    assert isinstance(checksums.parse(output, "md5"), dict)


def test_only_known_algorithms_become_a_command() -> None:
    with pytest.raises(ValueError, match="no digest"):
        checksums.command("md5; rm")


def test_a_folder_has_the_digests_of_its_files(tmp_path: Path) -> None:
    wanted = {path.removeprefix(str(tmp_path)): digest for path, digest in made(tmp_path).items()}
    with DirectoryEngine(tmp_path) as engine:
        assert engine.digests(wanted, "md5") == wanted


def test_links_are_followed_inside_the_target_and_errors_take_the_place_of_digests() -> None:
    engine = MemoryEngine(
        {"/usr/bin/jq": b"jq", "/bin": Link("usr/bin"), "/loop": Link("loop"), "/bad": Broken(), "/folder": Folder()}
    )
    found = engine.digests(["/bin/jq", "/usr/bin/jq", "/loop", "/bad", "/folder", "/absent", "/a\0b"], "md5")
    assert found["/bin/jq"] == found["/usr/bin/jq"] == md5(b"jq")
    errors = {path: type(error) for path, error in found.items() if not isinstance(error, str)}
    assert errors == {
        "/loop": TargetError,
        "/bad": TargetError,
        "/folder": EntryNotFoundError,
        "/absent": EntryNotFoundError,
        "/a\0b": EntryNotFoundError,
    }


def test_a_large_file_is_read_in_pieces() -> None:
    sizes = []

    def read(path: str, offset: int, size: int) -> bytes:
        sizes.append(size)
        return bytes(size)

    total = 2 * checksums.PIECE + 5
    assert checksums.digest(read, "/x", total, "sha256") == hashlib.sha256(bytes(total)).hexdigest()
    assert sizes == [checksums.PIECE, checksums.PIECE, 5]


class Telling(MemoryEngine):
    """Tells the digests of some files itself."""

    def _digests(self, paths: Sequence[str], algorithm: str) -> dict[str, str]:
        return {path: "told" for path in paths if path.endswith("told")}


def test_what_the_target_does_not_tell_is_read() -> None:
    assert Telling({"/told": b"a", "/read": b"b"}).digests(["/told", "/read"], "md5") == {
        "/told": "told",
        "/read": md5(b"b"),
    }


class Declining(MemoryEngine):
    def _read(self, path: str, offset: int, size: int) -> bytes:
        raise DeclinedError("not for certain")


def test_an_engine_that_declines_is_not_heard_any_more() -> None:
    with pytest.raises(DeclinedError):
        Declining({"/a": b"a"}).digests(["/a"], "md5")
