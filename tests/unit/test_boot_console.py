import os
import resource
import threading
from pathlib import Path

import pytest

from diskimage_validator.engines.boot import console
from diskimage_validator.engines.boot.console import LOG_LIMIT, MAX_LINE, REMEMBERED, Console, clean_lines
from diskimage_validator.errors import UsageError

GRUB = (
    b"\x1b[H\x1b[J\x1b[1;1H\x1b[?25l\x1b[m\x1b[2;24HGNU GRUB  version 2\r\n"
    b"\x1b[5;3H*Debian GNU/Linux   \x1b[m\x1b[5;78H"
)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"[    0.0] Linux\r\n[    0.1] Command line\r\n", ["[    0.0] Linux", "[    0.1] Command line"]),
        (b"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m.\r\n", ["[  OK  ] Started ssh.service."]),
        (GRUB, ["GNU GRUB  version 2", "*Debian GNU/Linux"]),
        (b"\x1b]0;owned\x07title\x1b]52;c;c2VjcmV0\x1b\\ clip\n", ["title clip"]),
        (b"\x1bP1$r\x1b\\dcs \x1bc reset \x1b(B charset\n", ["dcs  reset  charset"]),
        (b"cut \x1b[31", ["cut"]),
        (b"\x1b]never ends", []),
        (b"one\rtwo\x0cthree", ["one", "two", "three"]),
        (b"\x00\x08\x07\n \n\n", []),
        ("\u202eevil\n".encode(), ["\\u202eevil"]),
        (b"\xff\xfe\n", ["\ufffd\ufffd"]),
    ],
)
def test_lines_are_clean(data: bytes, lines: list[str]) -> None:
    assert clean_lines(data) == lines


def test_no_control_character_survives() -> None:
    everything = bytes(range(256)) * 3 + b"\x1b" + bytes(range(256))
    assert all(line.isprintable() for line in clean_lines(everything))


def test_a_line_is_cut() -> None:
    (line,) = clean_lines(b"x" * 10_000)
    assert len(line) == MAX_LINE


def test_hostile_output_takes_linear_time() -> None:
    assert clean_lines(b"\x1b]" * (REMEMBERED // 2)) == []
    assert clean_lines(b"\x1b[" * (REMEMBERED // 2)) is not None


def follow(data: bytes, log: Path | None = None) -> Console:
    """Return the console after it has followed ``data`` to the end."""
    reading, writing = os.pipe()
    followed = Console(os.fdopen(reading, "rb"), log)

    def write() -> None:
        with os.fdopen(writing, "wb") as stream:
            stream.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    writer.join()
    followed.close()
    return followed


def test_the_newest_lines_are_remembered_and_all_bytes_are_logged(tmp_path: Path) -> None:
    data = b"".join(b"line %d\r\n" % number for number in range(20_000))
    followed = follow(data, tmp_path / "serial.log")
    assert followed.lines(2) == ["line 19998", "line 19999"]
    assert followed.size == len(data)
    assert (tmp_path / "serial.log").read_bytes() == data
    assert len(followed._newest) == REMEMBERED


def test_the_log_ends_at_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LOG_LIMIT < 100 << 20
    monkeypatch.setattr(console, "LOG_LIMIT", 100_000)
    followed = follow(b"x" * 300_000 + b"\nlast\n", tmp_path / "serial.log")
    assert (tmp_path / "serial.log").stat().st_size == 100_000
    assert followed.lines(1) == ["last"]


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    with (
        os.fdopen(reading, "rb") as stream,
        os.fdopen(writing, "wb"),
        pytest.raises(UsageError, match=r"cannot write .*/no/serial\.log: No such file"),
    ):
        Console(stream, tmp_path / "no/serial.log")


def test_a_full_disk_ends_the_log_and_not_the_reading() -> None:
    followed = follow(b"x" * 300_000 + b"\nlast\n", Path("/dev/full"))
    assert followed.size == 300_006
    assert followed.lines(1) == ["last"]
    assert followed.trouble == "the serial log is not complete: No space left on device"
    assert follow(b"x").trouble == ""


def test_what_fits_on_a_disk_stays_there(tmp_path: Path) -> None:
    """A limit on the size of a file cuts a call of write(2) short, as the last block of a disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        followed = follow(b"x" * 300_000, tmp_path / "serial.log")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "serial.log").stat().st_size == 100_000
    assert followed.trouble == "the serial log is not complete: File too large"
