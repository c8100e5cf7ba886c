import io
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import elf_dynamic as module
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.elf_dynamic import DamagedElfError, Dynamic, parse_dynamic
from tests.support.elf_files import LOADER, linked, make_elf


def parse(data: bytes) -> Dynamic:
    return parse_dynamic(io.BytesIO(data))


@pytest.mark.parametrize(("machine", "bits", "order"), [(62, 64, "<"), (3, 32, "<"), (22, 64, ">"), (183, 64, "<")])
def test_what_a_program_asks_for_is_read(machine: int, bits: int, order: str) -> None:
    data = make_elf(
        machine=machine,
        bits=bits,
        order=order,
        interpreter=LOADER,
        needed=["liba.so.1", "libb.so.2"],
        soname="libself.so",
        rpath="/opt/a:$ORIGIN/../lib",
        runpath="/opt/b",
    )
    found = parse(data)
    assert (found.interpreter, found.needed, found.soname) == (LOADER, ("liba.so.1", "libb.so.2"), "libself.so")
    assert (found.rpath, found.runpath) == (("/opt/a", "$ORIGIN/../lib"), ("/opt/b",))


def test_a_static_program_asks_for_nothing() -> None:
    assert parse(make_elf()) == Dynamic("x86_64")


@pytest.mark.parametrize("name", ["/bin/sh", "/usr/bin/python3", "/usr/bin/readelf"])
def test_a_program_of_this_host_reads_as_readelf_says(name: str) -> None:
    path = str(Path(name).resolve())
    told = subprocess.run(["readelf", "-dW", path], capture_output=True, text=True, check=True).stdout
    needed = tuple(line.split("[")[1].rstrip("]") for line in told.splitlines() if "(NEEDED)" in line)
    with open(path, "rb") as stream:  # noqa: PTH123 - as a stream
        assert parse_dynamic(stream).needed == needed


@pytest.mark.parametrize("size", [0, 4, 20, 63, 64, 100, 200])
def test_a_truncated_file_is_damaged(size: int) -> None:
    with pytest.raises(DamagedElfError):
        parse(linked("liba.so.1")[:size])


def test_a_program_that_lost_its_end_is_told() -> None:
    data = linked("liba.so.1")
    with pytest.raises(DamagedElfError, match=f"truncated ELF file: {len(data) - 1} bytes, but .* up to {len(data)}"):
        parse(data[:-1])


def test_a_script_is_no_elf_file() -> None:
    with pytest.raises(DamagedElfError, match="no ELF file"):
        parse(b"#!/bin/sh\n")


def test_no_program_headers_is_damage() -> None:
    with pytest.raises(DamagedElfError, match="0 program headers"):
        parse(linked("liba.so.1")[:56] + struct.pack("<H", 0) + linked("liba.so.1")[58:])


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MAX_SEGMENTS", "more than 1 program headers"),
        ("MAX_TAGS", "more than 1 dynamic tags"),
        ("MAX_NEEDED", "needs more than 1 libraries"),
        ("MAX_SEARCH", "run path of more than 1 folders"),
    ],
)
def test_limits_hold(limit: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 1)
    with pytest.raises(FactError, match=reason):
        parse(linked("liba.so.1", "libb.so.1", runpath="/a:/b") if limit != "MAX_SEARCH" else linked(runpath="/a:/b"))


class Counting(io.BytesIO):
    total = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.total += len(data)
        return data


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_hostile_files_raise_nothing_else_and_cost_little(data: st.DataObject) -> None:
    content = bytearray(linked("liba.so.1", "libb.so.2", runpath="/opt/$ORIGIN"))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=12)):
        content[place] = data.draw(st.integers(0, 255))
    content += data.draw(st.binary(max_size=200))
    stream = Counting(bytes(content))
    try:
        parse_dynamic(stream)
    except FactError as error:
        assert error.message  # noqa: PT017 - the message is not the point, the kind is
    assert stream.total < 20_000_000


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_noise_behind_an_elf_identification_raises_nothing_else(noise: bytes) -> None:
    try:
        parse(b"\x7fELF\x02\x01\x01" + bytes(9) + noise)
    except FactError as error:
        assert error.message  # noqa: PT017
