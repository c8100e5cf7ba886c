from dataclasses import replace

import pytest

from diskimage_validator.engines.base import Disk, Filesystem
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.memory_engine import Entry


def require(tree: dict[str, Entry], rules: dict[str, object], disk: Disk | None = None) -> Finding:
    return only(ask("disk", tree, images.policy(disk=rules), disk=disk or images.disk()))


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"min_virtual_size": "4 GiB"}, Status.PASS),
        ({"min_virtual_size": "4.1 GiB"}, Status.FAIL),
        ({"max_virtual_size": "4 GiB"}, Status.PASS),
        ({"max_virtual_size": "4 GB"}, Status.FAIL),
        ({"max_file_size": "400 MiB"}, Status.PASS),
        ({"max_file_size": "399 MiB"}, Status.FAIL),
        ({"min_free": "3 GiB"}, Status.PASS),
        ({"min_free": "3.1 GiB"}, Status.FAIL),
        ({"max_used": "1 GiB"}, Status.PASS),
        ({"max_used": "1 GB"}, Status.FAIL),
        ({"min_free_inodes": 200}, Status.PASS),
        ({"min_free_inodes": 201}, Status.FAIL),
        ({"clean": True}, Status.PASS),
        ({"partition_table": ["gpt", "mbr"]}, Status.PASS),
        ({"partition_table": ["gpt"]}, Status.FAIL),
        ({"root_filesystem": ["ext4"]}, Status.PASS),
        ({"root_filesystem": ["xfs"]}, Status.FAIL),
    ],
)
def test_each_rule_has_its_limit(tree: dict[str, Entry], rules: dict[str, object], status: Status) -> None:
    assert require(tree, rules).status is status


def test_a_finding_shows_both_sizes(tree: dict[str, Entry]) -> None:
    finding = require(tree, {"max_virtual_size": "2 GiB"})
    assert (finding.expected, finding.actual) == ("at most 2.0 GiB", "4.0 GiB")


def test_free_space_that_is_not_known_could_not_tell(tree: dict[str, Entry]) -> None:
    (root,) = images.disk().filesystems
    disk = Disk("mbr", 1, (replace(root, free=None),))
    assert require(tree, {"min_free": "1 B"}, disk).status is Status.ERROR


def changed(**root: object) -> Disk:
    (filesystem,) = images.disk().filesystems
    return replace(images.disk(), filesystems=(replace(filesystem, **root),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("root", "status"),
    [
        ({"clean": False}, Status.FAIL),
        ({"clean": None}, Status.ERROR),
        ({"type": "xfs", "clean": False}, Status.FAIL),
        ({"type": "vfat", "clean": None}, Status.ERROR),
        ({"mountpoint": None, "clean": False}, Status.ERROR),
    ],
)
def test_a_file_system_that_is_not_clean(tree: dict[str, Entry], root: dict[str, object], status: Status) -> None:
    assert require(tree, {"clean": True}, changed(**root)).status is status


def test_a_boot_partition_of_another_kind_is_not_judged(tree: dict[str, Entry]) -> None:
    efi = Filesystem("/dev/sda2", "vfat", "/boot/efi", "", "")
    disk = replace(images.disk(), filesystems=(*images.disk().filesystems, efi))
    assert require(tree, {"clean": True}, disk).subject == "state of /"


def test_inodes_that_are_made_as_needed_are_enough(tree: dict[str, Entry]) -> None:
    disk = changed(type="btrfs", inodes=0, free_inodes=0)
    assert require(tree, {"min_free_inodes": 1000}, disk).status is Status.PASS
    assert require(tree, {"min_free_inodes": 1000}, changed(inodes=None)).status is Status.ERROR


def test_rules_for_other_checks_do_not_ask_for_this_one(tree: dict[str, Entry]) -> None:
    policy = images.policy(disk={"format": "raw", "grows_to": "1 GB", "compression": ["none"], "compat": ["1.1"]})
    assert only(ask("disk", tree, policy, disk=images.disk())).status is Status.SKIP


def test_no_root_file_system_could_not_tell(tree: dict[str, Entry]) -> None:
    assert require(tree, {"root_filesystem": ["ext4"]}, Disk("mbr", 1, ())).status is Status.ERROR


def test_a_target_without_a_disk_is_skipped(tree: dict[str, Entry]) -> None:
    finding = only(ask("disk", tree, images.policy(disk={"min_free": "1 B"}), disk=None))
    assert finding.status is Status.SKIP


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask("disk", tree, images.policy(), disk=images.disk())).status is Status.SKIP
