"""Which tests run in which order, in which of the two workers.

A module stays in one worker, for its fixtures are dear: an image built, a node booted. So do modules that would see
each other: those that look at all of the host, or at all processes of a kind. The longest begin first.
"""

from pathlib import PurePath
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

HOST: Final = (
    # What waits for every loop device to be gone comes while the other worker builds the image that all share.
    "test_block_device",
    "test_gate",
    "test_gate_backoff",
    "test_gate_ends",
    "test_nodepool_gate",
    "test_image",
    "test_boot",
    "test_reproducible",
    "test_nodepool_node",
    "test_nodepool_config",
    "test_zuul_image",
    # And these have mount namespaces for minutes, which keep what was mounted when they began.
    "test_nodepool_container",
    "test_airgap",
    "test_airgap_proof",
    "test_egress_firewall",
    "test_readiness_egress",
    "test_readiness_firewall",
    "test_readiness_whole",
)
"""What builds images, or looks at all mounts, loop devices or network interfaces of the host: one after the other."""

TOGETHER: Final = {**dict.fromkeys(HOST, "host"), "test_engine_boot": "boot", "test_engine_boot_ends": "boot"}
FIRST: Final = ("host", "test_validate", "boot", "test_engine_boot_uefi", "test_engine_ssh_image", "test_layouts")
"""A build of its own for every second module, the build that the others share, and so on, down from the longest."""


def module_of(nodeid: str) -> str:
    """Return the name of a test's module."""
    return PurePath(nodeid.split("::", maxsplit=1)[0]).stem


def unit_of(nodeid: str) -> str:
    """Return the name of what has to stay together with this test: its module's, or that of a group of modules."""
    return TOGETHER.get(module_of(nodeid), module_of(nodeid))


def place(item: pytest.Item) -> tuple[int, int]:
    """Return a test's place in the order of units and in its unit, for a stable sort."""
    module, unit = module_of(item.nodeid), unit_of(item.nodeid)
    within = HOST.index(module) if module in HOST else 0
    return FIRST.index(unit) if unit in FIRST else len(FIRST), within


class ByUnit(LoadScopeScheduling):  # type: ignore[misc]
    """Hand a worker the next unit when it is nearly done with its last one, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
