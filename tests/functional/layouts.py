"""Disks with the same small system in different layouts: xfs, LVM, btrfs with subvolumes, separate /boot and ESP.

Partition tables come from sfdisk. Everything else happens in one libguestfs appliance, because it needs neither root
nor a device mapper of the host; but for xfs, which the appliance can mount and not make: mkfs.xfs makes an empty one in
a file.
"""

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from tests.support.memory_engine import Broken, Entry, File, Folder, Link

MIB = 1024 * 1024
XFS_MIB = 320
"""mkfs.xfs makes nothing smaller than 300 MiB."""


def empty_disk(path: Path, *sizes: int) -> Path:
    """Make a sparse raw disk with a GPT and partitions of these sizes in MiB."""
    with path.open("wb") as file:
        file.truncate((sum(sizes) + 2) * MIB)
    script = "label: gpt\n" + "".join(f"size={size}MiB\n" for size in sizes)
    command = ["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", str(path)]
    subprocess.run(command, input=script, text=True, check=True)
    return path


def empty_xfs(path: Path, label: str) -> Path:
    """Make a file with an empty xfs on it."""
    with path.open("wb") as file:
        file.truncate(XFS_MIB * MIB)
    subprocess.run(["mkfs.xfs", "-q", "-L", label, str(path)], check=True)
    return path


def tar(tree: Mapping[str, Entry], folder: str = "/", *, without: str = "") -> bytes:
    """Return an archive, owned by root, of what ``tree`` has below ``folder``.

    What is below ``without``, where something else will be mounted, is left out; the folder itself is there.
    """
    entries: dict[str, Entry] = {str(PurePosixPath(without).relative_to(folder)): Folder()} if without else {}
    for path, entry in sorted(tree.items()):
        inside = PurePosixPath(path).is_relative_to(folder) and path != folder
        if inside and not (without and PurePosixPath(path).is_relative_to(without)):
            for parent in reversed(PurePosixPath(path).relative_to(folder).parents[:-1]):
                entries.setdefault(str(parent), tree.get(str(PurePosixPath(folder) / parent), Folder()))
            entries[str(PurePosixPath(path).relative_to(folder))] = entry
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, entry in entries.items():
            _add(archive, name, entry)
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, entry: Entry) -> None:
    member = tarfile.TarInfo(name)
    if isinstance(entry, Folder):
        member.type, member.mode = tarfile.DIRTYPE, entry.mode
        archive.addfile(member)
    elif isinstance(entry, Link):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.text, 0o777
        archive.addfile(member)
    else:
        assert not isinstance(entry, Broken)
        file = entry if isinstance(entry, File) else File(entry.encode() if isinstance(entry, str) else entry)
        member.size, member.mode = len(file.content), file.mode
        archive.addfile(member, io.BytesIO(file.content))


class Builder:
    """Fills the disks of one appliance, ``handle``. ``folder`` is a place for archives."""

    def __init__(self, handle: Any, folder: Path) -> None:
        self.handle = handle
        self.folder = folder

    def unpack(self, archive: bytes, where: str) -> None:
        """Unpack ``archive`` into a folder that is mounted."""
        file = self.folder / "tree.tar"
        file.write_bytes(archive)
        self.handle.mkdir_p(where)
        self.handle.tar_in(str(file), where)

    def fill(self, device: str, archive: bytes) -> None:
        """Unpack ``archive`` into a file system that is not mounted."""
        self.handle.mount(device, "/")
        self.unpack(archive, "/")
        self.handle.umount("/")

    def copy(self, source: str, device: str) -> None:
        """Copy a file system that was made elsewhere."""
        self.handle.copy_device_to_device(source, device, sparse=True, size=XFS_MIB * MIB)

    def logical_volume(self, partition: str, group: str, name: str, size: int) -> str:
        """Make a volume group on ``partition`` with a volume of ``size`` MiB in it, and a small one for swap."""
        self.handle.pvcreate(partition)
        self.handle.vgcreate(group, [partition])
        self.handle.lvcreate(name, group, size)
        self.handle.lvcreate("swap", group, 32)
        self.handle.mkswap(f"/dev/{group}/swap")
        return f"/dev/{group}/{name}"

    def subvolume_ids(self) -> dict[str, int]:
        """Return the ids of the subvolumes of the btrfs that is mounted, by path."""
        found = self.handle.btrfs_subvolume_list("/")
        return {str(one["btrfssubvolume_path"]): int(one["btrfssubvolume_id"]) for one in found}
