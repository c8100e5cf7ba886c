"""How a key of this run reaches a node whose systemd reads no credentials: into its file, on the throw-away overlay.

libguestfs mounts the overlay as it mounts an image, only to be written to: the root, and what the image's own fstab
mounts in it.
"""

from typing import Any, Final

from diskimage_validator.engines import overlay
from diskimage_validator.engines.appliance import Progress, launch
from diskimage_validator.engines.appliance_disk import ApplianceDisk
from diskimage_validator.engines.guestfs import DEVICE, GuestfsEngine
from diskimage_validator.engines.guestfs_files import engine_errors
from diskimage_validator.engines.overlay import Overlay
from diskimage_validator.engines.sharing import SharedAppliance
from diskimage_validator.image_file import ImageFile
from diskimage_validator.login import Login

LABEL_OF_DISK: Final = "overlay"
LABEL: Final = "security.selinux"
KEYS_LABEL: Final = "system_u:object_r:ssh_home_t:s0"
"""What SELinux lets sshd read the keys of: ssh.fc of the reference policy, for ``~/.ssh`` and what is in it."""


class OverlayWriter(GuestfsEngine):
    """The image as the overlay ``disk`` has it, to be written to. ``close`` leaves the overlay to whoever made it."""

    def __init__(self, image: ImageFile, disk: Overlay) -> None:
        """Start the appliance. Raises what GuestfsEngine raises."""
        self._shared = disk
        super().__init__(image)

    def add_key(self, login: Login, public: str) -> None:
        """Let ``login.user`` in with the key ``public``. Raises EngineError if that cannot be written."""
        with engine_errors("writing the key of this run"):
            self._write(login, public)
            self._handle.umount_all()
            self._handle.sync()

    def _write(self, login: Login, public: str) -> None:
        handle: Any = self._handle
        for folder in (self.resolve(folder) for folder in login.folders):
            handle.mkdir_mode(folder, login.folder_mode)
            self._own(folder, login)
        path = self.resolve(login.path)
        if login.exists:
            # The line break in front: the file may end without one.
            handle.write_append(path, f"\n{public}\n")
        else:
            handle.write(path, f"{public}\n")
            handle.chmod(login.mode, path)
            self._own(path, login)

    def _own(self, path: str, login: Login) -> None:
        self._handle.chown(login.owner, login.group, path)
        if any(one["attrname"] == LABEL for one in self._handle.lgetxattrs("/etc")):
            self._handle.lsetxattr(LABEL, KEYS_LABEL, len(KEYS_LABEL), path)

    def _take_disk(self, image: ImageFile, sharing: SharedAppliance | None, progress: Progress | None) -> ApplianceDisk:
        del image, sharing  # what is to be written to is nobody else's
        sector = self._shared.sector_size()
        file = {"format": overlay.FORMAT, "blocksize": sector, "label": LABEL_OF_DISK}
        handle, notes = launch(lambda new: new.add_drive_opts(str(self._shared.path), **file), progress=progress)
        handle.set_autosync(False)  # add_key does that, or what was written is of no use
        return self._use(ApplianceDisk(handle, DEVICE, LABEL_OF_DISK, sector, tuple(notes), handle.close))

    def _mount_device(self, mountable: str, mountpoint: str) -> None:
        self._handle.mount(mountable, mountpoint)
