"""Partition tables as the direct engine reads them, against what sfdisk says of the same disk."""

import struct
import tempfile
import uuid
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.engines.direct.blocks import window
from diskimage_validator.engines.direct.partitions import Table, read_table
from diskimage_validator.errors import DeclinedError
from tests.support import disks
from tests.support.disks import LINUX, MIB, entry_of

GPT = 'label: gpt\nsize=8MiB, type=U, name=ESP\nsize=8MiB, name="boot loader"\n,\n'
MBR = "label: dos\nsize=8MiB, type=83, bootable\nsize=8MiB, type=82\n,\n"
LOGICAL = """\
label: dos
size=8MiB, type=83
type=5, size=40MiB
size=4MiB, type=83
size=4MiB, type=8e
size=4MiB, type=83
,
"""
EXTENDED_FIRST = "label: dos\ntype=f, size=20MiB\nsize=8MiB, type=83\n\n\nsize=4MiB, type=83\nsize=4MiB\n"


def table_of(disk: Path) -> Table:
    return read_table(window(disks.reader(disk), 0, disk.stat().st_size), disk.stat().st_size)


def declined(disk: Path) -> str:
    with pytest.raises(DeclinedError) as caught:
        table_of(disk)
    return caught.value.message


@pytest.mark.parametrize("script", [MBR, LOGICAL, EXTENDED_FIRST])
def test_an_mbr_is_what_sfdisk_says(tmp_path: Path, script: str) -> None:
    disk = disks.partitioned(tmp_path / "disk", script)
    said = disks.sfdisk_json(disk)
    table = table_of(disk)
    assert table.kind == "mbr"
    expected = sorted(
        (one["start"] * 512, one["size"] * 512, int(one["type"], 16), int(one["node"].removeprefix(str(disk))))
        for one in said["partitions"]
    )
    found = [slot.partition for slot in table.slots]
    assert [(one.start, one.size, int(one.type, 16), one.number) for one in found] == expected
    assert [one.device for one in found] == [f"/dev/sda{number}" for *_, number in expected]
    identity = int(said["id"], 16)
    assert [slot.uuid for slot in table.slots] == [f"{identity:08x}-{number:02x}" for *_, number in expected]
    assert [slot.container for slot in table.slots] == [kind in (5, 15) for _, _, kind, _ in expected]


def test_a_gpt_is_what_sfdisk_says(tmp_path: Path) -> None:
    disk = disks.partitioned(tmp_path / "disk", GPT)
    table = table_of(disk)
    assert table.kind == "gpt"
    assert [
        (slot.partition.start // 512, slot.partition.size // 512, slot.partition.type, slot.uuid.upper(), slot.name)
        for slot in table.slots
    ] == [
        (one["start"], one["size"], one["type"], one["uuid"], one.get("name", ""))
        for one in disks.sfdisk_json(disk)["partitions"]
    ]


def test_partitions_of_a_gpt_are_in_the_order_of_their_places(tmp_path: Path) -> None:
    script = "label: gpt\n1: start=40000, size=2048\n2: start=4096, size=2048\n5: start=8192, size=2048\n"
    disk = disks.partitioned(tmp_path / "disk", script)
    assert [slot.partition.number for slot in table_of(disk).slots] == [2, 5, 1]


def test_microsofts_reserved_partition_holds_no_file_system(tmp_path: Path) -> None:
    script = "label: gpt\nsize=8MiB, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\n,\n"
    assert [slot.container for slot in table_of(disks.partitioned(tmp_path / "disk", script)).slots] == [True, False]


def test_a_disk_without_a_table(tmp_path: Path) -> None:
    assert table_of(disks.empty(tmp_path / "disk", MIB)) == Table("none")


def test_something_else_at_the_beginning_of_the_disk_is_declined(tmp_path: Path) -> None:
    disk = disks.empty(tmp_path / "disk", MIB)
    disks.put(disk, 0, b"ER")  # Apple's partition map
    assert "no MBR and no GPT" in declined(disk)


def test_an_mbr_without_partitions_is_declined(tmp_path: Path) -> None:
    assert "no MBR" in declined(disks.partitioned(tmp_path / "disk", "label: dos\n"))


def test_a_gpt_without_partitions_has_none(tmp_path: Path) -> None:
    assert table_of(disks.partitioned(tmp_path / "disk", "label: gpt\n")) == Table("gpt")


def test_a_disk_cut_off_in_its_table_is_declined(tmp_path: Path) -> None:
    assert "a disk of 512 bytes" in declined(disks.empty(tmp_path / "disk", 512))


@pytest.fixture
def gpt(tmp_path: Path) -> Path:
    return disks.partitioned(tmp_path / "disk", GPT)


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (512, "no header"),
        (512 + 9, "no header"),
        (512 + 56, "checksum of the header"),
        (1024 + 130, "checksum of the entries"),
        (-512, "no header"),
        (-512 + 60, "checksum of the header"),
        (-512 * 33 + 5, "checksum of the entries"),
    ],
)
def test_a_gpt_that_is_damaged_anywhere_is_declined(gpt: Path, offset: int, said: str) -> None:
    place = offset if offset >= 0 else gpt.stat().st_size + offset
    (byte,) = gpt.read_bytes()[place : place + 1]
    disks.put(gpt, place, bytes([byte ^ 0xFF]))  # what it was is random in a GUID
    assert said in declined(gpt)


def test_a_disk_that_has_grown_is_declined(gpt: Path) -> None:
    with gpt.open("r+b") as file:
        file.truncate(gpt.stat().st_size + MIB)
    assert "not at the end of the disk" in declined(gpt)


def test_a_disk_that_is_cut_off_is_declined(gpt: Path) -> None:
    with gpt.open("r+b") as file:
        file.truncate(gpt.stat().st_size // 2)
    assert "not at the end of the disk" in declined(gpt)


def test_a_gpt_without_its_mbr_is_declined(gpt: Path) -> None:
    disks.put(gpt, 0, bytes(512))
    assert "without its protective MBR" in declined(gpt)


def test_a_hybrid_mbr_is_declined(gpt: Path) -> None:
    disks.put(gpt, 446 + 16, struct.pack("<B3xB3xII", 0, 0x83, 4096, 100))
    assert "an MBR and a GPT" in declined(gpt)


def test_a_gpt_for_big_sectors(tmp_path: Path) -> None:
    disk = disks.big_sectors(disks.empty(tmp_path / "disk", 16 * MIB), MIB)
    table = table_of(disk)
    assert (table.kind, table.sector) == ("gpt", 4096)
    (slot,) = table.slots
    assert (slot.partition.start, slot.partition.size, slot.partition.type) == (MIB, MIB, LINUX)
    assert (slot.name, slot.uuid) == ("root", str(uuid.UUID(bytes_le=bytes(range(16)))))
    disks.put(disk, 16 * MIB - 4096 + 60, b"x")
    assert "checksum of the header" in declined(disk)


def test_a_gpt_for_sectors_of_either_size_is_declined(gpt: Path) -> None:
    disks.put(gpt, 4096, b"EFI PART")
    assert "sectors of 512 bytes and one for 4096" in declined(gpt)


def rewritten(disk: Path, change: dict[int, bytes]) -> None:
    """Change entries of a GPT, both copies, under right checksums."""
    for header_at, entries_at in ((512, 1024), (disk.stat().st_size - 512, disk.stat().st_size - 33 * 512)):
        for offset, data in change.items():
            disks.put(disk, entries_at + offset, data)
        header = bytearray(disk.read_bytes()[header_at : header_at + 92])
        entries = disk.read_bytes()[entries_at : entries_at + 128 * 128]
        header[88:92] = struct.pack("<I", zlib.crc32(entries))
        header[16:20] = bytes(4)
        header[16:20] = struct.pack("<I", zlib.crc32(bytes(header)))
        disks.put(disk, header_at, bytes(header))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({32: struct.pack("<QQ", 5000, 4000)}, "outside of the room"),
        ({32: struct.pack("<QQ", 1, 100)}, "outside of the room"),
        ({32: struct.pack("<QQ", 4096, 1 << 60)}, "outside of the room"),
        ({32: struct.pack("<QQ", 4096, 30000)}, "overlaps"),
    ],
)
def test_partitions_of_a_gpt_in_impossible_places_are_declined(gpt: Path, change: dict[int, bytes], said: str) -> None:
    rewritten(gpt, {})
    assert len(table_of(gpt).slots) == 3
    rewritten(gpt, change)
    assert said in declined(gpt)


def test_a_partition_within_microsofts_reserved_one_is_declined(tmp_path: Path) -> None:
    script = "label: gpt\nsize=8MiB, type=E3C9E316-0B5C-4DB8-817D-F92DF00215AE\n,4MiB\n,4MiB\n,4MiB\n,4MiB\n,\n"
    disk = disks.partitioned(tmp_path / "disk", script)
    rewritten(disk, {5 * 128 + 32: struct.pack("<QQ", 4096, 4200)})
    assert "overlaps" in declined(disk)


@pytest.fixture
def logical(tmp_path: Path) -> Path:
    return disks.partitioned(tmp_path / "disk", LOGICAL)


def extended_at(disk: Path) -> int:
    return next(slot.partition.start for slot in table_of(disk).slots if slot.container)


@pytest.mark.parametrize("following", [0, 1 << 31, 0xFFFFFFFF])
def test_logical_partitions_that_lead_nowhere_are_declined(logical: Path, following: int) -> None:
    disks.put(logical, extended_at(logical) + 446 + 16, entry_of(5, following, 2048))
    assert "does not lead forwards" in declined(logical)


def test_logical_partitions_in_a_circle_are_declined(logical: Path) -> None:
    start = extended_at(logical)
    second = struct.unpack_from("<I", logical.read_bytes(), start + 446 + 16 + 8)[0]
    disks.put(logical, start + second * 512 + 446 + 16, entry_of(5, 0, 2048))
    assert "does not lead forwards" in declined(logical)


def test_a_chain_of_logical_partitions_without_end_is_declined(tmp_path: Path) -> None:
    disk = disks.partitioned(tmp_path / "disk", "label: dos\ntype=5\n")
    start = extended_at_first(disk)
    for number in range(100):
        sector = entry_of(0x83, 1, 1) + entry_of(5, (number + 1) * 8, 8)
        disks.put(disk, start + number * 8 * 512 + 446, sector.ljust(64, b"\0") + b"\x55\xaa")
    assert "more than 60 logical partitions" in declined(disk)


def extended_at_first(disk: Path) -> int:
    return int(struct.unpack_from("<I", disk.read_bytes(), 446 + 8)[0]) * 512


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (entry_of(0x83, 1, 1, indicator=7), "unusual"),
        (entry_of(0x00, 4096, 100), "unusual"),
        (entry_of(0xA5, 4096, 100), "unusual"),
        (entry_of(0xEE, 4096, 100), "unusual"),
        (entry_of(0x83, 4096, 0), "unusual"),
        (entry_of(0x83, 4096, 0xFFFFFFFF), "overlaps another partition, or is not on the disk"),
        (entry_of(0x83, 20000, 10), "overlaps"),
        (entry_of(0x05, 120000, 1000), "two extended partitions"),
    ],
)
def test_an_unusual_entry_of_an_mbr_is_declined(logical: Path, changed: bytes, said: str) -> None:
    disks.put(logical, 446 + 32, changed)
    assert said in declined(logical)


def test_a_file_system_that_looks_like_an_mbr_is_declined(tmp_path: Path) -> None:
    disk = disks.fat(tmp_path / "disk", 8 * MIB, {})
    assert "as well as a file system" in declined(disk)


@given(st.lists(st.tuples(st.integers(0, 64 * 512 - 1), st.integers(0, 255)), max_size=8))
def test_no_damage_leads_astray(changes: list[tuple[int, int]]) -> None:
    for image in TABLES:
        data = bytearray(image)
        for place, value in changes:
            data[place] = value

        def read(offset: int, length: int, data: bytearray = data) -> bytes:
            return bytes(data[offset : offset + length])

        try:
            table = read_table(window(read, 0, len(data)), len(data))
        except DeclinedError:
            continue
        for slot in table.slots:
            assert 0 < slot.partition.start < slot.partition.start + slot.partition.size <= len(data)


def small_tables() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        scripts = ("label: gpt\nfirst-lba: 34\nstart=40,size=8\n", LOGICAL_SMALL)
        return [
            disks.partitioned(Path(folder) / str(number), script, MIB).read_bytes()
            for number, script in enumerate(scripts)
        ]


LOGICAL_SMALL = "label: dos\nstart=1,size=8,type=83\nstart=10,type=5\nstart=11,size=4\nstart=16,size=4\n"
TABLES = small_tables()
