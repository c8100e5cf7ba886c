"""Which tests run in which order, in which of the two workers.

A module stays in one worker, for its fixtures are dear: an image built, a node booted. So do modules that would see
each other: those that look at all of the host's network, or at all processes of a kind. The longest begin first.
"""

from pathlib import PurePath
from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

TOGETHER: Final = {
    "test_airgap": "network",
    "test_airgap_proof": "network",
    "test_egress_firewall": "network",
    "test_engine_boot": "boot",
    "test_engine_boot_ends": "boot",
}
FIRST: Final = (
    "network",
    "test_validate",
    "test_boot",
    "test_reproducible",
    "boot",
    "test_engine_boot_uefi",
    "test_nodepool_node",
    "test_nodepool_gate",
    "test_nodepool_container",
    "test_engine_ssh_image",
)
"""A build of their own, the build that the others share, and so on, down from the longest."""


def unit_of(nodeid: str) -> str:
    """Return the name of what has to stay together with this test: its module's, or that of a group of modules."""
    module = PurePath(nodeid.split("::", maxsplit=1)[0]).stem
    return TOGETHER.get(module, module)


def place(item: pytest.Item) -> int:
    """Return a test's place in the order of units, for a stable sort."""
    unit = unit_of(item.nodeid)
    return FIRST.index(unit) if unit in FIRST else len(FIRST)


class ByUnit(LoadScopeScheduling):  # type: ignore[misc]
    """Hand a worker the next unit when it is nearly done with its last one, in the order of collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
