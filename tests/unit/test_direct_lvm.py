"""Linear logical volumes; the functional tests have volumes that LVM itself made."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.engines.direct.blocks import window
from diskimage_validator.engines.direct.lvm import LogicalVolume, read_lvm
from diskimage_validator.engines.direct.lvm_text import parse_lvm_text
from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import DeclinedError
from tests.support import disks
from tests.support.disks import MIB
from tests.support.lvm_disk import AREA, AREA_SIZE, EXTENT, PE_START, metadata, physical_volume, segment, volume

EXTENTS = 15
SIZE = 64 * MIB
BOOT_UUID = "0b4e1a3c-7d4e-4a57-9d5e-222222222222"
SWAP = volume("swap", segment(1, 0, 2, '"pv0", 0'))
ROOT = volume("root", segment(1, 0, 6, '"pv0", 2'), segment(2, 6, 3, '"pv0", 9'))
SPLIT = volume("root", segment(1, 0, 6, '"pv0", 6'), segment(2, 6, 2, '"pv0", 2'))


def volumes_of(head: bytes | bytearray, size: int = SIZE) -> list[LogicalVolume]:
    def read(offset: int, length: int) -> bytes:
        return bytes(head[offset : offset + length]).ljust(length, b"\0")

    return read_lvm(window(read, 0, size), size)


def volumes(*texts: str, more: str = "", other: str = "") -> list[LogicalVolume]:
    return volumes_of(physical_volume(metadata("".join(texts), extents=EXTENTS, more=more, other=other)))


def test_linear_volumes_are_found() -> None:
    assert [(one.device, one.size) for one in volumes(SWAP, ROOT)] == [
        ("/dev/rl-9/swap", 8 * MIB),
        ("/dev/rl-9/root", 36 * MIB),
    ]
    assert volumes() == []


def test_segments_are_read_where_they_are() -> None:
    (one,) = volumes(SPLIT)
    asked: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return bytes([offset // (EXTENT * 512)]) * length

    unit, first = EXTENT * 512, PE_START * 512
    reader = one.reader(read)
    assert reader(6 * unit - 1, 3) == b"\x0c\x02\x02"
    assert asked == [(first + 12 * unit - 1, 1), (first + 2 * unit, 2)]
    assert len(reader(0, one.size)) == one.size
    assert reader(one.size, 0) == b""
    for offset, length in ((one.size, 1), (-1, 1), (0, one.size + 1)):
        with pytest.raises(DeclinedError):
            reader(offset, length)


@pytest.mark.parametrize("sector", range(4))
@pytest.mark.parametrize("at", [512, 4096, AREA_SIZE - 700])
def test_label_and_text_may_be_anywhere(sector: int, at: int) -> None:
    text = metadata(SWAP + ROOT, extents=EXTENTS)
    assert len(volumes_of(physical_volume(text, sector=sector, at=at))) == 2


@pytest.mark.parametrize("place", [512 + 10, 512 + 16, 512 + 40, 512 + 100, AREA, AREA + 5, AREA + 60, AREA + 700])
def test_what_is_damaged_is_declined(place: int) -> None:
    head = physical_volume(metadata(SWAP + ROOT, extents=EXTENTS))
    head[place] ^= 1
    with pytest.raises(DeclinedError, match=r"damaged|checksum"):
        volumes_of(head)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (volume("v", segment(1, 0, 2, '"pv0", 0,\n"pv0", 8', stripe_count=2)), "not linear"),
        (volume("v", segment(1, 0, 2, '"pv0", 0', kind="thin")), "not linear"),
        (volume("v", segment(1, 0, 2, '"pv1", 0')), "do not follow each other on one disk"),
        (volume("v", segment(1, 0, 2, '"v", 0')), "do not follow each other on one disk"),
        (volume("v", segment(1, 1, 2, '"pv0", 0')), "do not follow"),
        (volume("v", segment(1, 0, 0, '"pv0", 0')), "do not follow"),
        (volume("v", segment(1, 0, 2, '"pv0", 0'), segment(2, 1, 2, '"pv0", 8')), "do not follow"),
        (volume("v", segment(1, 0, 16, '"pv0", 0')), "not on its disk"),
        (volume("v", segment(1, 0, 1, '"pv0", -1')), "not on its disk"),
        (volume("v", segment(1, 0, 2, '"pv0", "0"')), "not on its disk"),
        (volume("v"), "unusual"),
        (volume("v", segment(2, 0, 2, '"pv0", 0')), "unusual"),
        (volume("v", segment(1, 0, 2, '"pv0", 0'), more='lock_args = "x"'), "unusual"),
        (volume("v", segment(1, 0, 2, '"pv0", 0'), status='["READ", "VISIBLE", "PVMOVE"]'), "unusual"),
        (volume("v", segment(1, 0, 2, '"pv0", 0'), status='["READ"]'), "part of another"),
        (ROOT + volume("v", segment(1, 0, 1, '"pv0", 9')), "overlap"),
        (ROOT + ROOT.replace("root", "copy"), "overlap"),
        (ROOT + ROOT, "or twice"),
        (ROOT.replace("segment_count = 2", "segment_count = 999999999999999"), "unusual"),
        ("v = 1", "unusual"),
    ],
)
def test_volumes_that_are_not_linear_are_declined(text: str, said: str) -> None:
    with pytest.raises(DeclinedError, match=said):
        volumes(text)


def test_groups_that_are_more_than_one_disk_are_declined() -> None:
    with pytest.raises(DeclinedError, match="2 physical volumes"):
        volumes(ROOT, other='pv1 {\nid = "x"\n}')
    with pytest.raises(DeclinedError, match="the volume group rl-9 is unusual"):
        volumes(ROOT, more='system_id = "somebody else"')
    with pytest.raises(DeclinedError, match="on another physical volume"):
        volumes_of(physical_volume(metadata(ROOT, extents=EXTENTS, identity="another")))
    with pytest.raises(DeclinedError, match="larger than its disk"):
        volumes_of(physical_volume(metadata(ROOT, extents=EXTENTS)), 60 * MIB)
    with pytest.raises(DeclinedError, match="unknown format"):
        volumes_of(physical_volume(metadata(ROOT, extents=EXTENTS).replace("version = 1\n", "version = 2\n")))
    with pytest.raises(DeclinedError, match="2 volume groups"):
        volumes_of(physical_volume(metadata(ROOT, extents=EXTENTS) + "more {\n}\n"))


def test_two_labels_are_declined() -> None:
    head = physical_volume(metadata(ROOT, extents=EXTENTS))
    head[1024:1536] = head[512:1024]
    with pytest.raises(DeclinedError, match="several labels"):
        volumes_of(head)


def test_the_text_of_metadata() -> None:
    text = 'a {\n# a comment }\nb = 5 c = "d \\"e\\" # f"\nlist = [1, "x",\n\t-2]\nempty = []\nd { }\n}\n'
    assert parse_lvm_text(text) == {"a": {"b": 5, "c": 'd "e" # f', "list": [1, "x", -2], "empty": [], "d": {}}}


BRACES = ("a {", "a }", "}", "{}", "a {" * 100 + "}" * 100)
VALUES = ("a", "a =", "a = }", "a = b", 'a = "x', "= 1", "a = 1 a = 2", "a = 1.5", "a = ;", "a = 99999999999999999999")
LISTS = ("a = [1", "a = [1 2]", "a = [[1]]", "a = [1,,2]")


@pytest.mark.parametrize("text", [*BRACES, *VALUES, *LISTS])
def test_text_that_lvm_does_not_write_is_declined(text: str) -> None:
    with pytest.raises(DeclinedError):
        parse_lvm_text(text)


@given(st.data())
def test_no_text_leads_astray(data: st.DataObject) -> None:
    text = metadata(SWAP + ROOT, extents=EXTENTS)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        length = data.draw(st.integers(0, 20))
        insert = data.draw(st.text(alphabet='{}[]=,"\n #\\0129pvroot-', max_size=8))
        text = text[:place] + insert + text[place + length :]
    try:
        found = volumes_of(physical_volume(text))
    except DeclinedError:
        return
    for one in found:
        for span in one.spans:
            assert 0 <= span.place <= span.place + span.size <= SIZE


def test_a_root_on_a_logical_volume(tmp_path: Path) -> None:
    fstab = f"/dev/mapper/rl--9-root / ext4 defaults 0 1\nUUID={BOOT_UUID} /boot ext4 defaults 0 1\n"
    big = bytes(range(256)) * 40_000
    root = disks.tree(tmp_path / "root", {"/etc/os-release": b"ID=rocky\n", "/etc/fstab": fstab.encode(), "/big": big})
    (root / "boot").mkdir()
    boot = disks.tree(tmp_path / "boot", {"/vmlinuz-1": "kernel"})
    disk = disks.partitioned(tmp_path / "disk.raw", "label: dos\nsize=8MiB, type=83\n,,8e\n", 80 * MIB)
    disks.ext(disk, boot, 8 * MIB, "-U", BOOT_UUID, offset=MIB)
    disks.put(disk, 9 * MIB, bytes(physical_volume(metadata(SWAP + SPLIT, extents=EXTENTS))))
    content = disks.empty(tmp_path / "content", 32 * MIB)
    disks.ext(content, root, 32 * MIB)
    data, first, unit = content.read_bytes(), 9 * MIB + PE_START * 512, EXTENT * 512
    disks.put(disk, first + 6 * unit, data[: 6 * unit])
    disks.put(disk, first + 2 * unit, data[6 * unit :])
    disks.run("mkswap", "-q", disks.empty(tmp_path / "swap", 8 * MIB))
    disks.place(disk, first, tmp_path / "swap")
    with open_target(str(disk), engine="direct") as engine:
        assert engine.read("/big") == big
        assert engine.listdir("/boot") == ["lost+found", "vmlinuz-1"]
        found = engine.disk()
    assert found is not None
    assert {one.device: (one.type, one.mountpoint) for one in found.filesystems} == {
        "/dev/rl-9/root": ("ext4", "/"),
        "/dev/rl-9/swap": ("swap", None),
        "/dev/sda1": ("ext4", "/boot"),
    }
    assert found.partitions is not None
    assert [one.type for one in found.partitions] == ["83", "8e"]
