"""Two nodes around all others of a build: one is created first and one last.

``dib-block-device create`` walks the nodes forwards, ``umount`` and the rollback walk them backwards. So the last node
is the first to be asked to unmount, before DIB's own mount nodes, which give up where they meet something unexpected.
"""

import logging
import os
from pathlib import Path
from typing import Any

from diskimage_builder.block_device.plugin import NodeBase

from airgap_image_factory.block_device import processes
from airgap_image_factory.block_device.devices import attached_loops, mount_points
from airgap_image_factory.block_device.signals import hold_signals, raise_on_signals
from airgap_image_factory.block_device.sweep import sweep, unmount

logger = logging.getLogger(__name__)

State = dict[str, Any]
"""DIB's state, shared by all nodes: ``blockdev`` (name to device and image), ``mount`` (mount point to path), ..."""


class FirstNode(NodeBase):  # type: ignore[misc] # DIB has no types
    """Created before the loop device: from then on a signal leads to a rollback."""

    def __init__(self, base: str, build_dir: Path, state: State) -> None:
        super().__init__(f"{base}-first", state)
        self.base = base
        self.build_dir = build_dir

    def get_edges(self) -> tuple[list[str], list[str]]:
        """Return (nodes before this one, nodes after it)."""
        return [], [self.base]

    def create(self) -> None:
        """Turn signals into exceptions."""
        processes.take_lock(processes.open_lock(self.build_dir))
        raise_on_signals()


class LastNode(NodeBase):  # type: ignore[misc] # DIB has no types
    """Created after everything is mounted; unmounts or rolls back before everything else."""

    def __init__(self, base: str, last_partition: str, build_dir: Path, mount_base: Path, state: State) -> None:
        super().__init__(f"{base}-last", state)
        self.base = base
        self.last_partition = last_partition
        self.build_dir = build_dir
        self.mount_base = mount_base

    def get_edges(self) -> tuple[list[str], list[str]]:
        """Return (nodes before this one, nodes after it). DIB asks when all mount nodes are known."""
        mounts = [name for _, name in self.state.get("sorted_mount_points", [])]
        return [self.last_partition, *mounts], []

    def create(self) -> None:
        """Let nothing come between here and DIB's writing of its state, which ``umount`` needs."""
        hold_signals()

    def rollback(self) -> None:
        """Unmount what DIB mounted: its mount nodes have no rollback, and the loop device would stay in use."""
        device = self.state.get("blockdev", {}).get(self.base, {}).get("device")
        if device is not None:
            unmount(device)

    def umount(self) -> None:
        """Make sure that DIB's own nodes can do their work, or do it for them.

        A process of the build may still run in the image, when only the build's shell was told to stop: it is ended.
        When an earlier ``umount`` has done part of the work, or all of it, DIB's nodes would fail on what is no longer
        mounted and detach a loop device that may be another's by now. Then this node detaches what is left and ends the
        command.
        """
        hold_signals()
        processes.take_lock(processes.open_lock(self.build_dir))
        if self._is_as_created():
            self._end_processes()
            return
        logger.warning("Another umount was here before; detaching what is left")
        for image in self._images():
            sweep(image)
        raise SystemExit(0)

    def _images(self) -> list[Path]:
        return [Path(entry["image"]) for entry in self.state["blockdev"].values() if "image" in entry]

    def _is_as_created(self) -> bool:
        """Whether every image is attached and every file system mounted, as ``create`` left them."""
        mounted = mount_points()
        # DIB's path for swap is "none": it mounts no swap.
        wanted = [entry["path"] for entry in self.state.get("mount", {}).values() if entry["path"] != "none"]
        return all(map(attached_loops, self._images())) and all(os.path.realpath(path) in mounted for path in wanted)

    def _end_processes(self) -> None:
        """End processes that run chrooted in the image, and those of this build that use it otherwise."""
        of_build = set(processes.descendants(os.getppid()))
        using = processes.users(self.mount_base)
        processes.end([pid for pid, links in using.items() if "root" in links or pid in of_build])
