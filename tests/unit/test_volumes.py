from dataclasses import replace

import pytest

from diskimage_validator.engines.volumes import Volume, choose_root, find_volume
from diskimage_validator.fstab import Line, parse_fstab

ROOT = Volume("/dev/sda2", "/dev/sda2", "xfs", "root", "0b1c-UUID", "p.rocky", "AB-CD")
BOOT = Volume("/dev/sda1", "/dev/sda1", "vfat", "EFI", "1616-47EE", "EFI System", "EF-00")
HOME = Volume("/dev/my-vg/home", "/dev/my-vg/home", "ext4", "home sweet", "44-55")


def subvolume(path: str, number: int, *, default: bool = False) -> Volume:
    mountable = "/dev/sda3" if default else f"btrfsvol:/dev/sda3/{path}"
    return Volume(mountable, "/dev/sda3", "btrfs", "system", "b7-b7", "", "", path, number, default)


def line(text: str) -> Line:
    (found,) = parse_fstab(text.encode())
    return found


@pytest.mark.parametrize(
    ("source", "volume"),
    [
        ("LABEL=root", ROOT),
        ('LABEL="EFI"', BOOT),
        ("UUID=1616-47ee", BOOT),
        ("PARTUUID=ab-cd", ROOT),
        ("PARTLABEL=p.rocky", ROOT),
        ("PARTLABEL=EFI\\040System", BOOT),
        ("/dev/disk/by-label/home\\x20sweet", HOME),
        ("/dev/disk/by-uuid/0b1c-uuid", ROOT),
        ("/dev/disk/by-partuuid/ef-00", BOOT),
        ("/dev/sda2", ROOT),
        ("/dev/vda2", ROOT),
        ("/dev/xvda1", BOOT),
        ("/dev/nvme0n1p2", ROOT),
        ("/dev/mapper/my--vg-home", HOME),
        ("/dev/my-vg/home", HOME),
        ("/dev/vdb2", None),
        ("/dev/mapper/my-vg-home", None),
        ("LABEL=", None),
        ("LABEL=other", None),
        ("LABEL=0b1c-UUID", None),
        ("tmpfs", None),
        ("server:/export", None),
    ],
)
def test_a_source_is_found_by_all_its_names(source: str, volume: Volume | None) -> None:
    assert find_volume(line(f"{source} /mnt auto defaults 0 0"), [BOOT, ROOT, HOME]) == volume


def test_a_volume_without_names_is_not_what_an_empty_name_means() -> None:
    bare = Volume("/dev/sda9", "/dev/sda9", "ext4")
    for source in ("LABEL=", "UUID=", "PARTUUID=", "/dev/disk/by-label/", "/dev/mapper/"):
        assert find_volume(Line(source, "/", "auto", {}, 1), [bare]) is None


TOP = subvolume("", 5, default=True)
AT = subvolume("@", 256)
AT_HOME = subvolume("@/home", 257)
SNAPSHOT = subvolume("@/.snapshots/1/snapshot", 260)


@pytest.mark.parametrize(
    ("options", "volume"),
    [
        ("defaults", TOP),
        ("subvol=@", AT),
        ("rw,subvol=/@/home,noatime", AT_HOME),
        ("subvolid=260", SNAPSHOT),
        ("subvol=/", TOP),
        ("subvol=@gone", None),
    ],
)
def test_the_options_choose_the_subvolume(options: str, volume: Volume | None) -> None:
    found = find_volume(line(f"UUID=b7-b7 /mnt btrfs {options} 0 0"), [ROOT, TOP, AT, AT_HOME, SNAPSHOT])
    assert found == volume


def fstab(options: str) -> list[Line]:
    text = f"# root\n\nUUID=b7-b7 / btrfs {options} 0 0\nLABEL=EFI /boot/efi vfat umask=77 0 2\n"
    return list(parse_fstab(text.encode()))


def test_the_only_root_is_the_root_whatever_it_says() -> None:
    assert choose_root({AT: fstab("subvol=@old")}) == AT
    assert choose_root({ROOT: []}) == ROOT


def test_no_root_and_two_on_different_devices_are_no_answer() -> None:
    assert choose_root({}) is None
    assert choose_root({ROOT: list(parse_fstab(b"LABEL=root / xfs")), HOME: []}) is None
    assert choose_root({ROOT: [], subvolume("", 5, default=True): []}) is None


def test_a_snapshot_names_the_subvolume_that_it_was_taken_of() -> None:
    assert choose_root({AT: fstab("subvol=@"), SNAPSHOT: fstab("subvol=@"), AT_HOME: []}) == AT
    assert choose_root({AT: fstab("subvolid=256"), SNAPSHOT: fstab("subvolid=256")}) == AT


@pytest.mark.parametrize("lines", [[], fstab("defaults")])
def test_without_a_name_the_default_subvolume_is_the_root(lines: list[Line]) -> None:
    default = replace(SNAPSHOT, is_default=True)
    assert choose_root({AT: lines, default: lines}) == default


def test_two_that_both_could_be_it_are_no_answer() -> None:
    assert choose_root({TOP: fstab("defaults"), AT: fstab("subvol=@")}) is None
    assert choose_root({AT: fstab("subvol=@x"), SNAPSHOT: fstab("subvol=@x")}) is None


def test_fields_of_fstab_are_bytes_between_blanks_and_tabs() -> None:
    lines = [
        "\tLABEL=a\\040b\t/mnt/caf\\303\\251  ext4",
        " UUID=c /\u00a0x xfs noatime,subvol=@=x 0 0",
        "# no / ext4",
        "/dev/sdb1 /y",
    ]
    first, second = parse_fstab("\n".join(lines).encode())
    assert (first.source, first.mountpoint, first.number) == ("LABEL=a b", "/mnt/caf\u00e9", 1)
    assert second == Line("UUID=c", "/\u00a0x", "xfs", {"noatime": "", "subvol": "@=x"}, 2)
    (odd,) = parse_fstab(b"/dev/sdc /\xff ext4")
    assert odd.mountpoint == "/\udcff"  # as an engine's paths
