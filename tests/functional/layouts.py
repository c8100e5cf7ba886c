"""Disks with the same small system in different layouts: partition tables, file systems, LVM, btrfs, sectors.

They are made in one libguestfs appliance, because it needs neither root nor a device mapper of the host; but for xfs,
which the appliance can mount and not make: mkfs.xfs makes an empty one in a file. See plain_disks for the rest.
"""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any, Final

from diskimage_validator.engines.appliance import launch
from tests.functional.archives import tar
from tests.support.memory_engine import Entry, File

MIB = 1024 * 1024
XFS_MIB = 320
"""mkfs.xfs makes nothing smaller than 300 MiB."""
ESP: Final = "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
BIOS_BOOT: Final = "21686148-6449-6E6F-744E-656564454649"

Tree = Mapping[str, Entry]


@dataclass(frozen=True)
class Part:
    """A partition, or the whole disk: its size in MiB, its file system, and where the system mounts it, if it does.

    ``name`` is the label of the file system. On ``lvm`` it is the group and the volume, which has an xfs. On ``btrfs``
    ``subvolumes`` are path and mount point of each; an older system is in one with an empty mount point, nothing in one
    with None. ``default`` is the one that is mounted if nobody says otherwise.
    """

    size: int
    type: str = ""
    mountpoint: str = ""
    name: str = ""
    subvolumes: tuple[tuple[str, str | None], ...] = ()
    default: str = ""
    gpt_type: str = ""


@dataclass(frozen=True)
class Layout:
    """A way to lay a system out. ``declined`` is part of the reason why the direct engine leaves it to guestfs."""

    fstab: str
    table: str
    parts: tuple[Part, ...]
    sector: int = 512
    declined: str = ""

    @property
    def size(self) -> int:
        """Return the size of the disk in MiB."""
        return sum(part.size for part in self.parts) + (0 if self.table == "none" else 2)

    @property
    def mountpoints(self) -> dict[str, str]:
        """Return type by mount point."""
        found: dict[str, str] = {}
        for part in self.parts:
            places = [place for _, place in part.subvolumes] or [part.mountpoint]
            found |= {place: "xfs" if part.type == "lvm" else part.type for place in places if place}
        return found

    @property
    def is_plain(self) -> bool:
        """Whether it can be made without an appliance."""
        return self.sector == 512 and {part.type for part in self.parts} <= {"", "ext3", "ext4", "swap", "vfat"}

    def below(self, mountpoint: str) -> list[str]:
        """Return where something is mounted in the file system at ``mountpoint``."""
        deeper = [place for place in self.mountpoints if place != mountpoint and Path(place).is_relative_to(mountpoint)]
        return [place for place in deeper if not any(parent in deeper for parent in map(str, Path(place).parents))]

    def tree(self, tree: Tree) -> dict[str, Entry]:
        """Return the system ``tree`` with what belongs to this layout: its fstab, and a boot loader on its ESP."""
        efi = {"/boot/efi/EFI/BOOT/grubx64.efi": File(b"MZ", 0o755)} if "/boot/efi" in self.mountpoints else {}
        return {**tree, "/etc/fstab": self.fstab, **efi}


class Builder:
    """Fills the disks of one appliance, ``handle``. ``folder`` is a place for archives, ``xfs`` the empty xfs."""

    def __init__(self, handle: Any, folder: Path, xfs: str) -> None:
        self.handle = handle
        self.folder = folder
        self.xfs = xfs

    def make(self, disk: str, layout: Layout, tree: Tree) -> None:
        """Lay ``tree`` out on the device ``disk``."""
        devices = [disk] if layout.table == "none" else self._partition(disk, layout)
        for device, part in zip(devices, layout.parts, strict=True):
            if part.type == "btrfs":
                self._btrfs(device, part, layout, tree)
            elif part.type:
                self._fill(self._file_system(device, part), part, layout, tree)

    def _partition(self, disk: str, layout: Layout) -> list[str]:
        self.handle.part_init(disk, layout.table)
        start = MIB // layout.sector
        for number, part in enumerate(layout.parts, 1):
            length = part.size * MIB // layout.sector
            self.handle.part_add(disk, "primary", start, start + length - 1)
            start += length
            if layout.table == "gpt":
                self.handle.part_set_name(disk, number, part.mountpoint.strip("/") or "none")
                if part.gpt_type:
                    self.handle.part_set_gpt_type(disk, number, part.gpt_type)
        return [f"{disk}{number}" for number in range(1, len(layout.parts) + 1)]

    def _file_system(self, device: str, part: Part) -> str:
        """Make what ``part`` says and return the device to mount."""
        if part.type == "lvm":
            group, _, name = part.name.partition("/")
            self.handle.pvcreate(device)
            self.handle.vgcreate(group, [device])
            self.handle.lvcreate(name, group, XFS_MIB)
            self.handle.lvcreate("swap", group, 32)
            self.handle.mkswap(f"/dev/{group}/swap")
            device = f"/dev/{group}/{name}"
        if part.type in ("xfs", "lvm"):
            self.handle.copy_device_to_device(self.xfs, device, sparse=True, size=XFS_MIB * MIB)
        elif part.type == "swap":
            self.handle.mkswap(device)
        else:
            self.handle.mkfs(part.type, device, **({"label": part.name} if part.name else {}))
        return device

    def _fill(self, device: str, part: Part, layout: Layout, tree: Tree) -> None:
        if not part.mountpoint:
            return
        self.handle.mount(device, "/")
        if part.type == "vfat":  # has no owners, which tar would set
            for path, entry in tree.items():
                if path.startswith(f"{part.mountpoint}/") and isinstance(entry, File):
                    inside = path.removeprefix(part.mountpoint)
                    self.handle.mkdir_p(str(Path(inside).parent))
                    self.handle.write(inside, entry.content)
        else:
            self._unpack(part.mountpoint, "/", layout, tree)
        self.handle.umount("/")
        if part.type == "lvm":
            self.handle.vg_activate(activate=False, volgroups=[part.name.partition("/")[0]])

    def _unpack(self, mountpoint: str, where: str, layout: Layout, tree: Tree) -> None:
        """Unpack what ``tree`` has below ``mountpoint``, without what is mounted further down."""
        file = self.folder / "tree.tar"
        file.write_bytes(tar(tree, mountpoint, without=next(iter(layout.below(mountpoint)), "")))
        self.handle.tar_in(str(file), where)

    def _btrfs(self, device: str, part: Part, layout: Layout, tree: Tree) -> None:
        self.handle.mkfs("btrfs", device, label=part.name)
        self.handle.mount(device, "/")
        for path, mountpoint in part.subvolumes:
            self.handle.mkdir_p(str(Path(path).parent))
            self.handle.btrfs_subvolume_create(path)
            if mountpoint is not None:
                older = {} if mountpoint else {"/etc/hostname": "older\n"}
                self._unpack(mountpoint or "/", path, layout, {**tree, **older})
        if part.default:
            ids = {
                one["btrfssubvolume_path"]: one["btrfssubvolume_id"] for one in self.handle.btrfs_subvolume_list("/")
            }
            self.handle.btrfs_subvolume_set_default(ids[part.default.strip("/")], "/")
        self.handle.umount("/")


@contextmanager
def made_disks(folder: Path, disks: Mapping[str, tuple[Layout, Tree]]) -> Iterator[dict[str, Path]]:
    """Make all ``disks``, each a layout and a system, in one appliance; yield their paths by name; remove them."""
    paths = {name: folder / f"{name}.raw" for name in disks}
    xfs = folder / "empty.xfs"
    sizes = {paths[name]: layout.size for name, (layout, _) in disks.items()} | {xfs: XFS_MIB}
    for path, size in sizes.items():
        with path.open("wb") as file:
            file.truncate(size * MIB)
    subprocess.run(["mkfs.xfs", "-q", "-L", "rootfs", str(xfs)], check=True)

    def add(handle: Any) -> None:
        for name, path in paths.items():
            handle.add_drive_opts(str(path), format="raw", blocksize=disks[name][0].sector)
        handle.add_drive_opts(str(xfs), format="raw")

    handle, _ = launch(add)
    devices = [f"/dev/sd{letter}" for letter in ascii_lowercase]
    build = Builder(handle, folder, devices[len(disks)])
    for device, (layout, tree) in zip(devices, disks.values(), strict=False):
        build.make(device, layout, layout.tree(tree))
    handle.shutdown()
    handle.close()
    xfs.unlink()
    yield paths
    for path in paths.values():
        path.unlink()
