"""The client of the NBD protocol: against qemu-nbd, and against servers that do everything wrong."""

import os
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from diskimage_validator.engines.direct.blocks import AHEAD, AT_ONCE, BLOCK, CACHED, LEAST_BLOCKS, Blocks, window
from diskimage_validator.engines.direct.nbd import NbdClient
from diskimage_validator.engines.direct.qemu_nbd import QemuNbd
from diskimage_validator.errors import DeclinedError
from diskimage_validator.image_file import examine
from tests.support import disks
from tests.support.disks import MIB

VARIANTS = {
    "raw": None,
    "v3": [],
    "v2": ["-o", "compat=0.10"],
    "zlib": ["-c"],
    "zstd": ["-c", "-o", "compression_type=zstd"],
    "clusters of 4 KiB": ["-c", "-o", "cluster_size=4k"],
    "clusters of 2 MiB": ["-c", "-o", "cluster_size=2M"],
    "v2, compressed": ["-c", "-o", "compat=0.10"],
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk of blocks that compress and blocks that are holes; its end is within a block."""
    path = disks.empty(tmp_path_factory.mktemp("disk") / "disk.raw", 9 * MIB + 512)
    for number in range(0, 9 * MIB, 96 * 1024):
        disks.put(path, number, struct.pack(">Q", number) * 4096)
    return path


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_is_read_right(raw: Path, tmp_path: Path, variant: str) -> None:
    options = VARIANTS[variant]
    image = raw if options is None else disks.qcow2(raw, tmp_path / "disk.qcow2", *options)
    expected = raw.read_bytes()
    server = QemuNbd(examine(image))
    try:
        assert (server.size, server.notes) == (len(expected), [])
        blocks = Blocks(server.read, server.size)
        assert blocks.read(0, server.size) == expected
        for offset, length in ((0, 1), (65_535, 2), (1, 200_000), (9 * MIB, 512), (9 * MIB + 511, 1), (5, 0)):
            assert blocks.read(offset, length) == expected[offset : offset + length]
    finally:
        server.close()


def test_nothing_beyond_the_end_is_read(raw: Path) -> None:
    server = QemuNbd(examine(raw))
    try:
        for offset, length in ((server.size, 1), (-1, 1), (0, server.size + 1), (1 << 70, 1), (0, -1)):
            with pytest.raises(DeclinedError):
                server.read(offset, length)
            with pytest.raises(DeclinedError):
                Blocks(server.read, server.size).read(offset, length)
            with pytest.raises(DeclinedError):
                window(Blocks(server.read, server.size).read, 512, 1024)(offset, length)
    finally:
        server.close()


def test_blocks_are_kept_within_bounds_and_read_ahead() -> None:
    asked: list[tuple[int, int]] = []
    kept = CACHED // BLOCK
    size = (kept + 50) * BLOCK

    def source(offset: int, length: int) -> bytes:
        asked.append((offset // BLOCK, length // BLOCK))
        return bytes([offset // BLOCK % 256]) * length

    blocks = Blocks(source, size)
    for _ in range(3):
        assert blocks.read(10, 10) == bytes(10)
    blocks.read(BLOCK, 10)
    blocks.read(2 * BLOCK, 10)
    assert asked == [(0, 1), (1, AHEAD)]
    for number in range(kept + 50):
        blocks.read(number * BLOCK, 1)
    assert len(blocks._cache) == kept
    asked.clear()
    large = kept // 4 + 1
    blocks.read(20 * BLOCK, large * BLOCK)
    assert asked == [(20, large)]


def test_blocks_are_as_large_as_clusters() -> None:
    asked: list[tuple[int, int]] = []

    def source(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return bytes(length)

    blocks = Blocks(source, 100 * MIB, 2 * MIB)
    for number in range(49, -1, -1):
        blocks.read(number * 2 * MIB + 5000, 100)
        blocks.read(number * 2 * MIB + MIB, 4096)
    assert asked == [(number * 2 * MIB, 2 * MIB) for number in range(49, -1, -1)]
    assert len(blocks._cache) == LEAST_BLOCKS


def test_gaps_between_known_blocks_are_asked_for_once_each() -> None:
    asked: list[tuple[int, int]] = []

    def source(offset: int, length: int) -> bytes:
        asked.append((offset // BLOCK, length // BLOCK))
        return bytes(length)

    blocks = Blocks(source, 100 * BLOCK)
    blocks.read(3 * BLOCK, 1)
    asked.clear()
    assert blocks.read(BLOCK, 6 * BLOCK) == bytes(6 * BLOCK)
    assert asked == [(1, 2), (4, 3)]


def test_what_was_asked_for_beforehand_is_taken_in_any_order(raw: Path, tmp_path: Path) -> None:
    expected = raw.read_bytes()
    server = QemuNbd(examine(disks.qcow2(raw, tmp_path / "disk.qcow2", "-c")))
    try:
        places = [(number * 96 * 1024, 5_000 + number) for number in range(12)]
        asked = [server.begin(offset, length) for offset, length in places]
        between = server.read(MIB, 100)
        taken = [finish() for finish in reversed(asked)]
        assert asked[3]() == taken[-4], "what came is there for whoever asks again"
    finally:
        server.close()
    assert between == expected[MIB : MIB + 100]
    assert taken == [expected[offset : offset + length] for offset, length in reversed(places)]


def test_what_is_expected_is_read_beside_and_within_bounds() -> None:
    begun: list[tuple[int, int]] = []
    taken: list[int] = []
    size = 40 * BLOCK + 100

    def source(offset: int, length: int) -> bytes:
        raise AssertionError("all of it was expected")

    def begin(offset: int, length: int) -> Callable[[], bytes]:
        begun.append((offset, length))

        def finish() -> bytes:
            taken.append(offset)
            return bytes([offset // BLOCK]) * length

        return finish

    blocks = Blocks(source, size, BLOCK, begin)
    assert blocks.expect(BLOCK - 1, 2) == b""
    assert window(blocks.expect, BLOCK, 3 * BLOCK)(BLOCK, 1) == b""
    assert (begun, taken) == ([(0, BLOCK), (BLOCK, BLOCK), (2 * BLOCK, BLOCK)], [])
    assert blocks.read(BLOCK, 5) == bytes([1]) * 5
    blocks.expect(0, 3 * BLOCK)
    assert (len(begun), taken) == (3, [BLOCK]), "nothing is asked for twice"
    blocks.expect(3 * BLOCK, size - 3 * BLOCK)
    assert begun[-1] == (40 * BLOCK, 100)
    assert len(begun) - len(taken) == AT_ONCE, "the oldest make room"
    assert blocks.read(2 * BLOCK, 10 * BLOCK)[::BLOCK] == bytes(range(2, 12))
    assert [blocks.read(number * BLOCK, 1) for number in range(12, 41)] == [bytes([number]) for number in range(12, 41)]
    assert len(taken) == len(begun)
    with pytest.raises(DeclinedError):
        blocks.expect(size, 1)


def test_what_was_expected_by_another_process_is_read_again() -> None:
    def begin(offset: int, length: int) -> Callable[[], bytes]:
        return lambda: b"of the other process"

    blocks = Blocks(lambda offset, length: bytes(length), 4 * BLOCK, BLOCK, begin)
    blocks.expect(0, 2 * BLOCK)
    blocks.forget()
    assert blocks.read(0, 2 * BLOCK) == bytes(2 * BLOCK)


def test_there_is_one_connection_to_spare(raw: Path) -> None:
    expected = raw.read_bytes()
    server = QemuNbd(examine(raw))
    try:
        assert (server.reserve(), server.reserve()) == (True, False)
        before = server.begin(0, 512)
        child = os.fork()
        if not child:  # nothing of pytest may run in it
            status = 1
            with suppress(BaseException):
                server.use_reserved()
                status = int(bytes(server.read(MIB, 5000)) != expected[MIB : MIB + 5000])
            os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert before() == expected[:512], "the first connection is as it was"
        assert server.read(2 * MIB, 512) == expected[2 * MIB : 2 * MIB + 512]
    finally:
        server.close()


# Servers that are not qemu-nbd.

HELLO = 28
"""Bytes that the client says before its first request."""
GREETING = b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3)


def answer(kind: int, data: bytes = b"", option: int = 7) -> bytes:
    return struct.pack(">QIII", 0x0003E889045565A9, option, kind, len(data)) + data


def export(size: int = MIB, flags: int = 3) -> bytes:
    return answer(3, struct.pack(">HQH", 0, size, flags))


READY = GREETING + export() + answer(1)


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[socket.socket]:
    """Give a connection to somebody who talks as ``talk`` does and then hangs up."""
    ours, theirs = socket.socketpair()

    def run() -> None:
        with theirs, suppress(OSError):  # the client may hang up first
            talk(theirs)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield ours
    finally:
        ours.close()
        thread.join(10)
    assert not thread.is_alive()


def says(data: bytes) -> Callable[[socket.socket], None]:
    """Say ``data`` and then listen until the other side hangs up."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(data)
        while connection.recv(4096):
            pass

    return talk


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"NBDMAGIC" + bytes(8), "newstyle"),
        (b"HTTP/1.1 400 Bad Request", "newstyle"),
        (b"NBDMAGICIHAVEOPT" + bytes(2), "fixed newstyle"),
        (GREETING + answer(1), "how large"),
        (GREETING + bytes(20), "no reply to our option"),
        (GREETING + answer(3, b"", option=1), "no reply to our option"),
        (GREETING + struct.pack(">QIII", 0x0003E889045565A9, 7, 3, 1 << 31), "no reply to our option"),
        (GREETING + answer((1 << 31) | 2, b"not today"), "refuses: not today"),
        (GREETING + export(flags=1), "for writing"),
        (GREETING + export(flags=0), "for writing"),
        (GREETING + answer(3, struct.pack(">HIII", 3, 0, 0, 0)), "wants blocks of 0"),
        (GREETING + answer(3, struct.pack(">HIII", 3, 1 << 30, 0, 512)), "wants blocks"),
        (GREETING + answer(3, b"\0") * 100, "how large"),
    ],
)
def test_a_server_that_does_not_keep_to_the_protocol_is_declined(said: bytes, reason: str) -> None:
    with server(says(said)) as connection, pytest.raises(DeclinedError, match=reason):
        NbdClient(connection)


def test_requests_are_no_larger_than_the_server_allows() -> None:
    lengths: list[int] = []

    def talk(connection: socket.socket) -> None:
        connection.sendall(GREETING + export() + answer(3, struct.pack(">HIII", 3, 512, 4096, 65_536)) + answer(1))
        connection.recv(HELLO, socket.MSG_WAITALL)
        while data := connection.recv(28, socket.MSG_WAITALL):
            _, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", data)
            if kind == 0:
                lengths.append(length)
                connection.sendall(struct.pack(">IIQ", 0x67446698, 0, cookie) + bytes([offset >> 16]) * length)

    with server(talk) as connection:
        client = NbdClient(connection)
        assert client.read(0, 3 * 65_536) == b"".join(bytes([number]) * 65_536 for number in range(3))
        client.close()
    assert lengths == [65_536] * 3


def test_answers_may_come_in_another_order_and_an_error_is_of_its_own_request() -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(READY)
        connection.recv(HELLO, socket.MSG_WAITALL)
        requests = [connection.recv(28, socket.MSG_WAITALL) for _ in range(3)]
        for data in reversed(requests):
            _, _, _, cookie, offset, length = struct.unpack(">IHHQQI", data)
            error = 5 if offset == 4096 else 0
            connection.sendall(struct.pack(">IIQ", 0x67446698, error, cookie))
            if not error:
                connection.sendall(bytes([offset >> 12]) * length)
        connection.recv(28)

    with server(talk) as connection:
        client = NbdClient(connection)
        first, second, third = (client.begin(number << 12, 10) for number in range(3))
        assert first() == bytes(10)
        for _ in range(2):
            with pytest.raises(DeclinedError, match="cannot read 10 bytes at 4096: error 5"):
                second()
        assert third() == bytes([2]) * 10
        client.close()


def replies(reply: Callable[[int], bytes]) -> Callable[[socket.socket], None]:
    """Greet as one should, and answer the first request, with its cookie, with ``reply``; then hang up."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(READY)
        connection.recv(HELLO, socket.MSG_WAITALL)
        data = connection.recv(28, socket.MSG_WAITALL)
        connection.sendall(reply(struct.unpack(">IHHQQI", data)[3]))

    return talk


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda cookie: b"", "ended in the middle"),
        (lambda cookie: struct.pack(">IIQ", 0x67446698, 0, cookie) + b"half", "ended in the middle"),
        (lambda cookie: struct.pack(">IIQ", 0x67446698, 5, cookie), "error 5"),
        (lambda cookie: struct.pack(">IIQ", 0x67446698, 0, cookie + 1) + bytes(512), "no reply to our request"),
        (lambda cookie: bytes(16), "no reply to our request"),
    ],
)
def test_a_wrong_answer_is_declined(reply: Callable[[int], bytes], reason: str) -> None:
    with server(replies(reply)) as connection:
        client = NbdClient(connection)
        with pytest.raises(DeclinedError, match=reason):
            client.read(0, 512)
        client.close()


def test_a_server_that_hangs_is_given_up() -> None:
    with server(says(READY)) as connection:
        client = NbdClient(connection, timeout=0.2)
        with pytest.raises(DeclinedError, match="no answer in time"):
            client.read(0, 512)
        client.close()
        client.close()


def test_an_image_that_is_being_written_is_declined(raw: Path, tmp_path: Path) -> None:
    image = disks.qcow2(raw, tmp_path / "disk.qcow2")
    checked = examine(image)
    pid_file = tmp_path / "pid"
    disks.run("qemu-nbd", "--fork", "--persistent", "-f", "qcow2", "-k", tmp_path / "s", "--pid-file", pid_file, image)
    writer = int(pid_file.read_text())
    try:
        with pytest.raises(DeclinedError, match="Is another process using the image"):
            QemuNbd(checked)
    finally:
        os.kill(writer, signal.SIGTERM)
