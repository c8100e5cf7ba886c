"""A folder as a target: nothing outside it is ever reached, whatever its links say."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from diskimage_validator.engines.base import Stat
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import EngineError, EntryNotFoundError, TargetError, UsageError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of the host")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text("ID=debian\n")
    return root


def test_files_links_and_folders_are_read(root: Path) -> None:
    (root / "etc/link").symlink_to("os-release")
    (root / "etc/os-release").chmod(0o640)
    with DirectoryEngine(root) as engine:
        assert engine.listdir("/etc") == ["link", "os-release"]
        assert engine.read("/etc/link") == b"ID=debian\n"
        assert engine.read("/etc/os-release", offset=3, limit=3, whole=False) == b"deb"
        assert engine.readlink("/etc/link") == "os-release"
        entry = engine.stat("/etc/link")
        assert entry is not None
        assert (stat.S_IMODE(entry.mode), entry.size, entry.uid) == (0o640, 10, os.getuid())
        assert engine.lstat("/etc/nothing") is None
        assert engine.lstat("/etc/os-release/below") is None
        assert engine.disk() is None


@pytest.mark.parametrize("text", ["/secret", "../../secret", "/../secret", "../../../../../../secret"])
def test_no_link_leads_out(root: Path, text: str) -> None:
    (root / "etc/escape").symlink_to(text)
    with DirectoryEngine(root) as engine, pytest.raises(EntryNotFoundError):
        engine.read("/etc/escape")


def test_a_folder_that_becomes_a_link_while_we_read_is_not_followed(root: Path) -> None:
    with DirectoryEngine(root) as engine:
        assert engine.resolve("/etc/os-release") == "/etc/os-release"
        (root / "etc").rename(root / "old")
        (root / "etc").symlink_to(root.parent)
        assert engine._lstat("/etc/secret") is None  # the primitive itself, as if resolve had just run
        with pytest.raises(EngineError):
            engine._read("/etc/secret", 0, 10)


def test_a_loop_of_links_ends(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with DirectoryEngine(root) as engine, pytest.raises(TargetError, match="more than 40 symbolic links"):
        engine.stat("/a")


def test_special_files_are_not_opened(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with DirectoryEngine(root) as engine:
        with pytest.raises(EntryNotFoundError):
            engine.read("/fifo")
        with pytest.raises(EngineError, match="no longer a regular file"):
            engine._read("/fifo", 0, 10)


def test_names_that_are_not_utf8_come_through(root: Path) -> None:
    Path(os.fsdecode(os.fsencode(root) + b"/\xff")).write_text("x")
    with DirectoryEngine(root) as engine:
        assert engine.read("/\udcff") == b"x"


@pytest.mark.parametrize("path", ["/etc/os-release\0x", "/etc/\0/os-release", "/etc/\ud800", "/\udcff\udfff"])
def test_what_no_file_can_be_called_is_not_there(root: Path, path: str) -> None:
    with DirectoryEngine(root) as engine:
        assert engine.stat(path) is None
        assert engine.lstat(path) is None
        with pytest.raises(EntryNotFoundError):
            engine.read(path)
        with pytest.raises(EntryNotFoundError):
            engine.listdir(path)


@pytest.mark.parametrize("name", ["/nonesuch", "", "a\0b"])
def test_what_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        DirectoryEngine(Path(name) if name else tmp_path / "file")


def test_a_folder_is_named_with_dir(root: Path) -> None:
    with open_target(f"dir:{root}") as engine:
        assert (engine.name, engine.target.kind, engine.read("/etc/os-release")) == (
            "directory",
            "directory",
            b"ID=debian\n",
        )


def test_the_running_system_is_a_target() -> None:
    with open_target("/") as engine:
        assert engine.exists("/etc/os-release")
        assert engine.listdir("/proc") == []
        assert Path("/proc/self/status").exists()
        assert not engine.exists("/proc/self/status")
        assert not engine.exists("/dev/null")


def test_kernel_folders_that_are_not_mounted_are_read_like_others(root: Path) -> None:
    (root / "dev").mkdir()
    (root / "dev/forgotten").write_text("x")
    (root / "devices").mkdir()
    (root / "devices/file").write_text("y")
    with DirectoryEngine(root) as engine:
        assert engine.read("/dev/forgotten") == b"x"
        assert engine.read("/devices/file") == b"y"


READ_AS_NOBODY = """\
import os, sys
from pathlib import Path
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.errors import EngineError
os.chdir(sys.argv[1])  # what is above is not for everybody
os.setgid(65534)
os.setuid(65534)
root = Path()
with DirectoryEngine(root) as engine:
    print(engine.read("/etc/os-release"))
    for read in (engine.listdir, engine.stat):
        try:
            read("/closed" if read == engine.listdir else "/closed/file")
        except EngineError as error:
            print(error.message, error.hint)
    try:
        DirectoryEngine(root / "closed")
    except EngineError as error:
        print(error.message, error.hint)
"""


def test_what_may_not_be_read_is_an_error_that_says_so(root: Path) -> None:
    (root / "closed").mkdir(mode=0o700)
    done = subprocess.run(
        [sys.executable, "-c", READ_AS_NOBODY, str(root)], capture_output=True, text=True, check=False
    )
    remedy = "read the folder as root, or as whoever may read all of it"
    assert done.stdout.splitlines() == [
        "b'ID=debian\\n'",
        f"/closed: Permission denied {remedy}",
        f"/closed/file: Permission denied {remedy}",
        f"closed: openat2(2): Permission denied {remedy}",
    ], done.stderr


def test_another_engine_cannot_read_folders(root: Path) -> None:
    with pytest.raises(UsageError, match="reads disk images"):
        open_target(f"dir:{root}", engine="guestfs")


def test_walking_comes_to_an_end_in_folders_that_are_nested_without_end(root: Path) -> None:
    class Endless(DirectoryEngine):
        def _scan(self, path: str) -> list[tuple[str, Stat]]:
            return [("deeper", Stat(stat.S_IFDIR | 0o755, 0, 0, 0, 0))]

    with Endless(root) as engine, pytest.raises(TargetError, match="nested too deeply"):
        list(engine.walk("/"))


def test_only_the_running_system_runs_commands(root: Path) -> None:
    with open_target("/") as engine:
        assert engine.live
        assert engine.run(["sh", "-c", "echo $LC_ALL; exit 3"], timeout=10).status == 3
    with DirectoryEngine(root) as engine:
        assert not engine.live
        with pytest.raises(NotImplementedError):
            engine.run(["true"], timeout=10)


RUN_AS_NOBODY = """\
import os
from pathlib import Path
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.errors import PermissionDeniedError
os.setgid(65534)
os.setuid(65534)
with DirectoryEngine(Path("/"), live=True) as engine:
    print(engine.run(["id", "-u"], timeout=10).stdout)
    try:
        engine.run(["id", "-u"], timeout=10, as_root=True)
    except PermissionDeniedError as error:
        print(error.message)
    try:
        engine.listdir("/root")
    except PermissionDeniedError as error:
        print(error.message)
"""


def test_root_s_commands_are_denied_to_others() -> None:
    done = subprocess.run([sys.executable, "-c", RUN_AS_NOBODY], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n\n") == ["65534", "id: permission denied\n/root: permission denied\n"], done.stderr
