"""DIB's ``partitioning`` node for hosts without device-mapper.

The partition tables are DIB's own, made by its code; only the mapping differs. DIB maps partitions to
``/dev/mapper/loop0p1`` with kpartx, which needs device-mapper and udev. Here the kernel maps them to ``/dev/loop0p1``,
told by partx, which works in any container or virtual machine that has loop devices, and on hosts with device-mapper
just as well.

Use it as ``partitioning`` is used::

    - local_loop:
        name: image0
    - loop_partitioning:
        base: image0
        label: gpt
        partitions:
          - name: root
            size: 100%
            mkfs:
              mount:
                mount_point: /
"""

import logging
import os
import re
import shutil
from pathlib import Path
from typing import Any

from diskimage_builder.block_device.exception import BlockDeviceSetupException
from diskimage_builder.block_device.level1.partitioning import Partitioning
from diskimage_builder.block_device.plugin import NodeBase
from diskimage_builder.block_device.utils import exec_sudo

from airgap_image_factory.block_device import guardian
from airgap_image_factory.block_device.devices import map_partitions, unmap_partitions
from airgap_image_factory.block_device.guards import FirstNode, LastNode, State

logger = logging.getLogger(__name__)

PACKAGES = {"losetup": "mount or util-linux", "partx": "util-linux", "findmnt": "util-linux", "setsid": "util-linux"}
"""Tool to the package that has it, for every partition table."""

GPT_PACKAGES = {"sgdisk": "gdisk"}

SBIN = ":/usr/sbin:/sbin"
"""Where sudo looks and a user's PATH need not."""


class LoopPartitioning(Partitioning):  # type: ignore[misc] # DIB has no types
    """One partition table on one loop device. Takes the options of DIB's ``partitioning``."""

    def __init__(self, config: dict[str, Any], default_config: dict[str, Any], state: State) -> None:
        """Check ``config`` and the host's tools; raises BlockDeviceSetupException. Nothing is changed yet.

        ``default_config`` is DIB's parameter file, of which ``build-dir`` and ``mount-base`` are used here.
        """
        _check_partitions(config)
        super().__init__(config, default_config, state)
        _check_tools(PACKAGES | GPT_PACKAGES if self.label == "gpt" else PACKAGES)
        for key in ("build-dir", "mount-base"):
            if key not in default_config:
                raise BlockDeviceSetupException(f"loop_partitioning: the parameter file has no '{key}'")
        self.build_dir = Path(default_config["build-dir"])
        mount_base = Path(default_config["mount-base"])
        self.first = FirstNode(self.base, self.build_dir, state)
        self.last = LastNode(self.base, self.partitions[-1].name, self.build_dir, mount_base, state)

    def get_nodes(self) -> list[NodeBase]:
        """Return the partitions and the two nodes that guard them. The order is no matter: each names its edges."""
        return [self.first, *self.partitions, self.last]

    def create(self) -> None:
        """Write the partition table and map the partitions. Every partition calls this; the first call does it all."""
        self.number_of_partitions += 1
        if self.number_of_partitions > 1:
            return
        base = self.state["blockdev"][self.base]
        self.image_path = base.get("image")
        self.device_path = base["device"]
        if self.image_path is None or not re.fullmatch(r"/dev/loop\d+", self.device_path):
            raise BlockDeviceSetupException(f"loop_partitioning: base {self.base} is no local_loop: {self.device_path}")
        guardian.start(Path(self.image_path), self.build_dir, os.getppid())
        self.disk_size = self._size_of_block_dev(self.image_path)
        self._write_table()
        for node in self.partitions:
            # Upstream's rollback is `dmsetup remove`. One of ours is enough: everything on top is created later than
            # the first partition, so it is rolled back earlier.
            node.rollbacks.clear()
            entry = self.state["blockdev"][node.name]
            entry["device"] = entry["device"].replace("/dev/mapper/", "/dev/")
        self.partitions[0].add_rollback(unmap_partitions, self.device_path)
        exec_sudo(["sync"])
        try:
            map_partitions(self.device_path)
        except BlockDeviceSetupException as error:
            # Upstream's MBR code writes down any size; it is the kernel that refuses it.
            reason = f"cannot map the partitions; do they fit into {self.disk_size} bytes? {error}"
            raise BlockDeviceSetupException(f"loop_partitioning: {reason}") from error

    def umount(self) -> None:
        """Unmap the partitions. Every partition calls this; the last call does it."""
        self.number_of_partitions -= 1
        if self.number_of_partitions == 0:
            unmap_partitions(self.state["blockdev"][self.base]["device"])

    def _write_table(self) -> None:
        logger.info("Creating %s partition table on [%s] [%s]", self.label, self.base, self.image_path)
        try:
            if self.label == "mbr":
                self._create_mbr()
            else:
                self._create_gpt()
        except (AssertionError, RuntimeError) as error:
            # This is how upstream's code says that partitions do not fit or that a size has an unknown unit.
            reason = str(error) or f"the partitions do not fit into {self.disk_size} bytes"
            raise BlockDeviceSetupException(f"loop_partitioning: {reason}") from error


def _check_partitions(config: dict[str, Any]) -> None:
    """Raise BlockDeviceSetupException for what upstream's constructor answers with another exception."""
    partitions = config.get("partitions")
    if not partitions or not isinstance(partitions, list):
        raise BlockDeviceSetupException("loop_partitioning: 'partitions' must be a list with at least one partition")
    for number, partition in enumerate(partitions, start=1):
        if not isinstance(partition, dict):
            raise BlockDeviceSetupException(f"loop_partitioning: partition {number} is no mapping: {partition}")
        for key in ("name", "size"):
            if key not in partition:
                raise BlockDeviceSetupException(f"loop_partitioning: partition {number} needs '{key}'")


def _check_tools(packages: dict[str, str]) -> None:
    path = os.environ.get("PATH", os.defpath) + SBIN
    missing = [f"{tool} (package {package})" for tool, package in packages.items() if not shutil.which(tool, path=path)]
    if missing:
        raise BlockDeviceSetupException(f"loop_partitioning: not on this host: {', '.join(missing)}")
