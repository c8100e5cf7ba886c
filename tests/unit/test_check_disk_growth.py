from dataclasses import replace

import pytest

from diskimage_validator.engines.base import Disk, Partition
from diskimage_validator.errors import ValidatorError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Entry, Link

CHECK = "disk-growth"
WANTS = "/etc/systemd/system/multi-user.target.wants"
CLOUD = "cloud_init_modules: [migrator, growpart, [resizefs, always]]\n"


@pytest.fixture
def tree() -> dict[str, Entry]:
    return images.debian() | {
        "/lib/systemd/system/cloud-init.service": "x",
        "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": Link(
            "/lib/systemd/system/cloud-init.service"
        ),
        "/etc/cloud/cloud.cfg": CLOUD,
        "/usr/bin/growpart": images.program(),
        "/usr/sbin/resize2fs": images.program(),
    }


def growth(tree: dict[str, Entry], disk: Disk | None = None, to: str = "80 GB") -> list[Finding]:
    return ask(CHECK, tree, images.policy(disk={"grows_to": to}), disk=disk or images.disk())


def root_of(disk: Disk, **changes: object) -> Disk:
    (root,) = disk.filesystems
    return replace(disk, filesystems=(replace(root, **changes),))  # type: ignore[arg-type]


def without_cloud_init(tree: dict[str, Entry]) -> None:
    for path in [path for path in tree if "cloud" in path]:
        del tree[path]


def with_growroot(tree: dict[str, Entry]) -> None:
    without_cloud_init(tree)
    tree["/usr/local/sbin/growroot"] = images.program()
    tree["/usr/lib/systemd/system/growroot.service"] = "x"
    tree[f"{WANTS}/growroot.service"] = Link("/usr/lib/systemd/system/growroot.service")


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    findings = growth(tree)
    assert failures(findings) == []
    assert [finding.subject for finding in findings] == [
        "flavor's disk",
        "partition table",
        "root partition",
        "growing the partition",
        "growing the file system",
        "limit of ext4",
    ]


def fault(tree: dict[str, Entry], disk: Disk | None = None, to: str = "80 GB") -> tuple[str, str]:
    finding = only(failures(growth(tree, disk, to)))
    assert finding.status is Status.FAIL
    assert finding.hint
    return finding.subject, finding.message


def test_an_image_that_is_larger_than_the_flavor_fails(tree: dict[str, Entry]) -> None:
    assert fault(tree, to="4 GB")[0] == "flavor's disk"


def test_mbr_ends_at_two_tebibytes(tree: dict[str, Entry]) -> None:
    assert failures(growth(tree, to="2 TiB")) == []
    assert fault(tree, to="2.1 TiB") == ("partition table", "MBR ends at 2.0 TiB")
    assert failures(growth(tree, replace(images.disk(), partition_table="gpt"), to="3 TiB")) == []


def test_a_partition_behind_the_root_fails(tree: dict[str, Entry]) -> None:
    (first,) = images.disk().partitions or ()
    swap = Partition("/dev/sda2", 2, first.start + first.size, 1, "82")
    subject, message = fault(tree, replace(images.disk(), partitions=(first, swap)))
    assert (subject, "/dev/sda2 lies behind /dev/sda1" in message) == ("root partition", True)
    before = Partition("/dev/sda2", 2, 0, 1, "EF")
    assert failures(growth(tree, replace(images.disk(), partitions=(before, first)))) == []


def test_a_logical_partition_fails(tree: dict[str, Entry]) -> None:
    disk = root_of(replace(images.disk(), partitions=(Partition("/dev/sda5", 5, 1, 1, "83"),)), device="/dev/sda5")
    assert "logical partition" in fault(tree, disk)[1]
    assert failures(growth(tree, replace(disk, partition_table="gpt"))) == []


def test_a_root_on_lvm_fails(tree: dict[str, Entry]) -> None:
    assert "/dev/vg/root, which is no partition" in fault(tree, root_of(images.disk(), device="/dev/vg/root"))[1]


def test_a_subvolume_of_btrfs_is_on_its_partition(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/btrfs"] = images.program()
    assert failures(growth(tree, root_of(images.disk(), device="btrfsvol:/dev/sda1/@/.x", type="btrfs"))) == []


def test_a_bare_disk_needs_no_partition_to_grow(tree: dict[str, Entry]) -> None:
    del tree["/usr/bin/growpart"]
    disk = replace(root_of(images.disk(), device="/dev/sda"), partition_table="none", partitions=())
    assert failures(growth(tree, disk)) == []


@pytest.mark.parametrize(
    ("path", "entry", "said"),
    [
        ("/usr/bin/growpart", None, "growpart is not on PATH"),
        ("/etc/cloud/cloud.cfg", CLOUD + "growpart: {mode: 'off'}\n", "growpart has the mode 'off'"),
        ("/etc/cloud/cloud.cfg", CLOUD + "growpart: false\n", "growpart has the mode 'False'"),
        ("/etc/cloud/cloud.cfg.d/9.cfg", "growpart: {devices: [/data]}\n", "do not include /"),
        ("/etc/cloud/cloud.cfg", "cloud_init_modules: [resizefs]\n", "growpart is not in cloud_init_modules"),
        ("/etc/growroot-disabled", "", "/etc/growroot-disabled switches it off"),
    ],
)
def test_nothing_grows_the_partition(tree: dict[str, Entry], path: str, entry: Entry | None, said: str) -> None:
    if entry is None:
        del tree[path]
    else:
        tree[path] = entry
    subject, message = fault(tree)
    assert (subject, said in message) == ("growing the partition", True), message


@pytest.mark.parametrize(
    ("path", "entry", "said"),
    [
        ("/usr/sbin/resize2fs", None, "nothing in the image grows ext4: tools that are there: growpart"),
        ("/etc/cloud/cloud.cfg.d/9.cfg", "resize_rootfs: false\n", "resize_rootfs is 'False'"),
        ("/etc/cloud/cloud.cfg", "cloud_init_modules: [growpart]\n", "resizefs is not in cloud_init_modules"),
    ],
)
def test_nothing_grows_the_file_system(tree: dict[str, Entry], path: str, entry: Entry | None, said: str) -> None:
    if entry is None:
        del tree[path]
    else:
        tree[path] = entry
    subject, message = fault(tree)
    assert (subject, said in message) == ("growing the file system", True), message


@pytest.mark.parametrize(
    ("path", "entry", "said"),
    [
        ("/etc/systemd/system/cloud-init.target.wants/cloud-init.service", None, "cloud-init.service is not enabled"),
        ("/etc/systemd/system/cloud-init.service", Link("/dev/null"), "cloud-init.service is masked"),
        ("/etc/cloud/cloud-init.disabled", "", "/etc/cloud/cloud-init.disabled switches it off"),
    ],
)
def test_cloud_init_that_does_not_run_grows_nothing(
    tree: dict[str, Entry], path: str, entry: Entry | None, said: str
) -> None:
    if entry is None:
        del tree[path]
    else:
        tree[path] = entry
    found = failures(growth(tree))
    assert [finding.subject for finding in found] == ["growing the partition", "growing the file system"]
    assert all(said in finding.message for finding in found)


def test_no_grower_at_all_fails(tree: dict[str, Entry]) -> None:
    without_cloud_init(tree)
    found = failures(growth(tree))
    assert [finding.message for finding in found] == ["nothing in the image does it"] * 2


def test_dib_s_growroot_grows_ext4_and_not_xfs(tree: dict[str, Entry]) -> None:
    with_growroot(tree)
    tree["/usr/sbin/xfs_growfs"] = images.program()
    assert failures(growth(tree)) == []
    subject, message = fault(tree, root_of(images.disk(), type="xfs"))
    assert (subject, "nothing in the image grows xfs" in message) == ("growing the file system", True)


def test_growroot_that_is_not_enabled_does_not_work(tree: dict[str, Entry]) -> None:
    with_growroot(tree)
    del tree[f"{WANTS}/growroot.service"]
    assert [finding.subject for finding in failures(growth(tree))] == [
        "growing the partition",
        "growing the file system",
    ]


def with_kolla_builder(tree: dict[str, Entry]) -> None:
    del tree["/etc/systemd/system/cloud-init.target.wants/cloud-init.service"]
    tree["/usr/local/sbin/kolla-builder-grow-root"] = images.program()
    tree["/usr/lib/systemd/systemd-growfs"] = images.program()
    tree["/usr/lib/systemd/system/kolla-builder-grow-root.service"] = "x"
    tree[f"{WANTS}/kolla-builder-grow-root.service"] = Link("/usr/lib/systemd/system/kolla-builder-grow-root.service")


def test_kolla_builder_grows_every_file_system_without_cloud_init(tree: dict[str, Entry]) -> None:
    with_kolla_builder(tree)
    del tree["/usr/sbin/resize2fs"]
    assert failures(growth(tree)) == []
    assert failures(growth(tree, root_of(images.disk(), type="xfs"))) == []


@pytest.mark.parametrize(
    ("path", "subjects"),
    [
        ("/usr/bin/growpart", ["growing the partition", "growing the file system"]),
        ("/usr/lib/systemd/systemd-growfs", ["growing the file system"]),
        (f"{WANTS}/kolla-builder-grow-root.service", ["growing the partition", "growing the file system"]),
    ],
)
def test_what_kolla_builder_s_growth_needs(tree: dict[str, Entry], path: str, subjects: list[str]) -> None:
    with_kolla_builder(tree)
    del tree[path]
    assert [finding.subject for finding in failures(growth(tree))] == subjects


def test_other_ways_to_grow(tree: dict[str, Entry]) -> None:
    without_cloud_init(tree)
    tree["/etc/fstab"] = "# x / x x-systemd.growfs\nLABEL=x / xfs defaults,x-systemd.growfs 0 1\n"
    tree["/usr/lib/systemd/systemd-growfs"] = images.program()
    tree["/usr/share/initramfs-tools/scripts/local-bottom/growroot"] = images.program()
    assert failures(growth(tree, root_of(images.disk(), type="xfs"))) == []
    del tree["/usr/share/initramfs-tools/scripts/local-bottom/growroot"]
    tree["/etc/repart.d/50-root.conf"] = "[Partition]\nType=root\n"
    assert fault(tree)[0] == "growing the partition"
    tree["/lib/systemd/system/sysinit.target.wants/systemd-repart.service"] = Link("../systemd-repart.service")
    assert failures(growth(tree)) == []


def test_an_old_ext4_has_a_limit(tree: dict[str, Entry]) -> None:
    disk = replace(root_of(images.disk(), features=("extent",), block_size=1024), partition_table="gpt")
    assert fault(tree, disk, to="5 TiB") == ("limit of ext4", "without the feature 64bit it ends at 4.0 TiB")
    assert failures(growth(tree, disk, to="4 TiB")) == []


def test_what_the_engine_does_not_know_could_not_be_told(tree: dict[str, Entry]) -> None:
    unknown = only(failures(growth(tree, root_of(images.disk(), features=None))))
    assert (unknown.subject, unknown.status) == ("limit of ext4", Status.ERROR)
    for disk in (replace(images.disk(), partitions=None), replace(images.disk(), filesystems=())):
        assert only(failures(growth(tree, disk))).status is Status.ERROR


@pytest.mark.parametrize("text", ["a: [", "a: &x [*x]\n", "- " * 5000, "a: !!python/object:x {}\n"])
def test_configuration_that_cannot_be_parsed_could_not_tell(tree: dict[str, Entry], text: str) -> None:
    tree["/etc/cloud/cloud.cfg.d/9.cfg"] = text
    with pytest.raises(ValidatorError, match=r"9\.cfg"):
        growth(tree)


@pytest.mark.parametrize(
    "text", ["# nothing\n", "[]\n", "growpart: 7\n", "cloud_init_modules: {}\n", "cloud_init_modules: [[], {}, 1]\n"]
)
def test_odd_configuration_has_an_answer(tree: dict[str, Entry], text: str) -> None:
    tree["/etc/cloud/cloud.cfg"] = text
    assert all(finding.status in (Status.PASS, Status.FAIL) for finding in growth(tree))


def test_a_target_without_a_disk_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy(disk={"grows_to": "80 GB"}))).status is Status.SKIP


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy(), disk=images.disk())).status is Status.SKIP
