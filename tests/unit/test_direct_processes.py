"""Whatever happens to the validator, its qemu-nbd, the socket and the temporary folder are gone with it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from diskimage_validator import process
from diskimage_validator.engines.direct.qemu_nbd import QemuNbd
from diskimage_validator.engines.overlay import Overlay
from diskimage_validator.errors import DeclinedError
from diskimage_validator.image_file import examine
from diskimage_validator.process import Limits
from diskimage_validator.process.beside import Service
from tests.support import disks
from tests.support.disks import MIB

HOLD = """\
import sys, time
from pathlib import Path
from diskimage_validator.cli import main
from diskimage_validator.engines import open as opening

def hold(engine):
    print("reading", flush=True)
    time.sleep(60)

if sys.argv[1] == "hold":
    import diskimage_validator.cli.files as files
    read_target = files.read_target
    files.read_target = lambda target, work, **options: read_target(target, hold, **options)
sys.argv[1:] = ["ls", sys.argv[2], "--engine", "direct"]
main()
"""


@pytest.fixture
def image(tmp_path: Path) -> Path:
    root = disks.tree(tmp_path / "root", {"/etc/os-release": "ID=debian\n"})
    raw = disks.empty(tmp_path / "disk.raw", 8 * MIB)
    disks.ext(raw, root, 8 * MIB)
    return disks.qcow2(raw, tmp_path / "disk.qcow2", "-c")


def servers(image: Path) -> list[int]:
    """Return the processes that have the image on their command line, but for those that wait for it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(image) in words and b"qemu-nbd" in words:
            found.append(int(folder.name))
    return found


def gone(image: Path) -> bool:
    """Whether no server is left, after five seconds at most."""
    for _ in range(500):
        if not servers(image):
            return True
        time.sleep(0.01)
    return False


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "scratch"
    folder.mkdir()
    yield folder
    assert list(folder.iterdir()) == []


def start(image: Path, scratch: Path, how: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, how, str(image)],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_signal_while_reading_leaves_nothing(image: Path, scratch: Path, number: int, status: int) -> None:
    with start(image, scratch, "hold") as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "reading\n"
        assert len(servers(image)) == 1
        assert list(scratch.iterdir()) == []  # the socket is gone as soon as it is connected
        running.send_signal(number)
        _, errors = running.communicate(timeout=20)
    assert running.returncode == status
    assert "Traceback" not in errors
    assert gone(image)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_it_starts_leaves_nothing(image: Path, scratch: Path, number: int) -> None:
    seen = 0
    for _ in range(4):
        with start(image, scratch, "read") as running:
            while running.poll() is None and not servers(image):
                time.sleep(0.0005)
            seen += running.poll() is None
            running.send_signal(number)
            running.communicate(timeout=20)
        assert gone(image)
    assert seen


def test_reading_to_the_end_leaves_nothing(image: Path, scratch: Path) -> None:
    with start(image, scratch, "read") as running:
        output, errors = running.communicate(timeout=60)
    assert (running.returncode, output.split(), errors) == (0, ["etc", "lost+found"], "")
    assert gone(image)


def test_several_side_by_side(image: Path) -> None:
    checked = examine(image)

    def read(_: int) -> bytes:
        server = QemuNbd(checked)
        try:
            return bytes(server.read(1024, 1024))
        finally:
            server.close()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(read, range(24)))) == 1
    assert gone(image)


def test_the_socket_is_for_us_alone(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("time.sleep", lambda _: seen.extend(modes(tmp_path)))  # while it waits for the socket
    server = QemuNbd(examine(image))
    server.close()
    assert set(seen) == {0o700}


def modes(folder: Path) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in folder.glob("diskimage-validator-*")]


def test_a_temporary_folder_with_a_long_name_will_do(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    server = QemuNbd(examine(image))
    assert server.read(1080, 2) == b"\x53\xef"
    server.close()


def test_the_server_has_limits_and_no_network(image: Path) -> None:
    server = QemuNbd(examine(image))
    try:
        (pid,) = servers(image)
        limits = Path(f"/proc/{pid}/limits").read_text()
        rows = {line[:25].strip(): line[25:].split() for line in limits.splitlines()}
        assert rows["Max file size"][0] == "0"
        assert rows["Max core file size"][0] == "0"
        assert rows["Max address space"][0] == str(4 << 30)
        assert rows["Max cpu time"][0] == "300"
        own = Path("/proc/self/ns/net").readlink()
        assert server.notes == []
        assert Path(f"/proc/{pid}/ns/net").readlink() != own
    finally:
        server.close()


TELLING = """\
#!/bin/sh
# A link is no file to which a limit would apply.
ln -s "$(tr -s ' \\n' ' ' < /proc/$$/limits)" {folder}/limits-$1
ln -s "$(readlink /proc/$$/ns/net)" {folder}/network-$1
exec /usr/bin/qemu-img "$@"
"""


def test_so_have_those_that_look_at_the_image_first(
    image: Path, scratch: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, programs = tmp_path / "told", tmp_path / "programs"
    told.mkdir()
    programs.mkdir()
    (programs / "qemu-img").write_text(TELLING.format(folder=told))
    (programs / "qemu-img").chmod(0o755)
    monkeypatch.setitem(process.LOCALE, "PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    checked = examine(image)
    assert checked.notes == ()
    Overlay(checked).close()
    own = Path("/proc/self/ns/net").readlink()
    for verb, written in (("info", 0), ("check", 0), ("create", 64 << 20)):
        limits = str((told / f"limits-{verb}").readlink())
        assert f"Max file size {written} {written} bytes " in limits
        assert f"Max address space {1 << 30} {1 << 30} bytes " in limits
        assert "Max cpu time 30 30 seconds " in limits
        assert (told / f"network-{verb}").readlink() != own


READ_ONLY = """\
mount --rbind /tmp /tmp
mount -o remount,bind,ro /tmp
mount -t tmpfs -o ro none /var/tmp
cd /var/tmp
exec "$@"
"""


@pytest.mark.parametrize("engine", ["direct", "auto"])
def test_without_a_temporary_folder_it_says_what_to_do(engine: str, image: Path) -> None:
    bare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", READ_ONLY, "sh"]
    command = [sys.executable, "-m", "diskimage_validator", "ls", str(image), "--engine", engine]
    environment = {name: value for name, value in os.environ.items() if name not in ("TMPDIR", "TMP", "TEMP")}
    done = subprocess.run([*bare, *command], env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    message, hint = done.stderr.splitlines()
    assert message.startswith("error: no temporary folder can be made: No usable temporary directory found in [")
    assert hint == "hint: set TMPDIR to a folder that can be written to and has room"


def test_where_no_namespace_may_be_made_it_goes_on_and_says_so(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing = tmp_path / "unshare"
    refusing.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setitem(process.LOCALE, "PATH", f"{tmp_path}:/usr/bin:/bin")
    checked = examine(image)
    server = QemuNbd(checked)
    note = "helpers run without a network namespace of their own: unshare: unshare failed: Operation not permitted"
    assert (checked.notes, server.notes) == ((note,), [note])
    assert server.read(1080, 2) == b"\x53\xef"
    server.close()
    assert gone(image)


def test_a_service_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.process.ending.STOP_TIMEOUT", 0.2)
    service = Service(
        ["sh", "-c", "trap '' TERM; echo ready >&2; while :; do sleep 1; done"], limits=Limits(), offline=False
    )
    time.sleep(0.3)
    assert service.is_running
    service.stop()
    service.stop()
    assert not service.is_running


def test_an_image_that_is_gone_is_declined_with_what_qemu_says(image: Path) -> None:
    checked = examine(image)
    image.unlink()
    with pytest.raises(DeclinedError, match="No such file or directory"):
        QemuNbd(checked)
