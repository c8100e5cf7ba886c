from dataclasses import replace

import pytest

from diskimage_validator.engines.base import Disk, Filesystem
from diskimage_validator.model import Finding, Status
from tests.support import images, node
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

GRUB = "/boot/grub/grub.cfg"
KERNEL = f"/boot/vmlinuz-{node.KERNEL}"
INITRD = f"/boot/initrd.img-{node.KERNEL}"


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def check(tree: dict[str, Entry], disk: Disk | None = None, **rules: object) -> list[Finding]:
    return ask("boot", tree, images.policy(boot=rules or {"check": True}), disk=disk or node.disk())


def faults(tree: dict[str, Entry], disk: Disk | None = None) -> list[tuple[str, str]]:
    return [(finding.subject, finding.message) for finding in failures(check(tree, disk))]


def test_a_sound_node_passes(tree: dict[str, Entry]) -> None:
    assert failures(check(tree, check=True, console=["ttyS0", "tty0"])) == []


def test_without_a_disk_the_rest_is_judged(tree: dict[str, Entry]) -> None:
    findings = ask("boot", tree, images.policy(boot={"check": True}))
    assert failures(findings) == []
    assert any("no disk" in finding.message for finding in findings)


def test_no_kernel(tree: dict[str, Entry]) -> None:
    del tree[KERNEL]
    assert ("kernel", "there is no kernel in /boot") in faults(tree)
    assert ("entry Debian", f"{KERNEL} is not there") in faults(tree)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        (KERNEL, "", "the kernel is empty, or no file"),
        (INITRD, None, "it has no initial RAM disk"),
        (INITRD, "", f"{INITRD} is empty"),
        (f"/usr/lib/modules/{node.KERNEL}/modules.dep", None, f"/lib/modules/{node.KERNEL} has no modules.dep"),
    ],
)
def test_a_kernel_that_is_not_whole(tree: dict[str, Entry], path: str, content: str | None, message: str) -> None:
    del tree[path]
    if content is not None:
        tree[path] = content
    assert (f"kernel {node.KERNEL}", message) in faults(tree)


def test_a_menu_that_names_another_kernel(tree: dict[str, Entry]) -> None:
    tree[GRUB] = node.GRUB.replace(node.KERNEL, "6.1.0-1-amd64", 2)
    assert faults(tree) == [
        ("entry Debian", "/boot/vmlinuz-6.1.0-1-amd64 is not there"),
        ("entry Debian", "/boot/initrd.img-6.1.0-1-amd64 is not there"),
    ]


def test_no_boot_loader(tree: dict[str, Entry]) -> None:
    del tree[GRUB]
    assert faults(tree) == [("boot loader", "there is no boot loader's menu")]


def test_a_menu_without_entries(tree: dict[str, Entry]) -> None:
    tree[GRUB] = "set default=0\n"
    assert faults(tree) == [("boot loader", f"{GRUB} has no entry that starts a kernel")]


def test_a_default_that_is_no_entry(tree: dict[str, Entry]) -> None:
    tree[GRUB] = node.GRUB.replace('default="0"', 'default="7"')
    assert faults(tree) == [("boot loader", "its default, 7, is none of its 2 entries")]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            f"root=LABEL={node.LABEL}",
            "root=LABEL=other",
            "root=LABEL=other: no file system of this disk has that LABEL",
        ),
        (f"root=LABEL={node.LABEL}", "root=/dev/vda1", "root=/dev/vda1 is a device name"),
        (f"root=LABEL={node.LABEL} ", "", "root= is missing"),
        (f"\tinitrd\t{INITRD}\n}}\nsubmenu", "}\nsubmenu", "it loads no initial RAM disk"),
        (f"--set=root {node.UUID}", "--set=root dead-beef", "GRUB searches a file system dead-beef"),
    ],
)
def test_an_entry_that_does_not_find_its_root(tree: dict[str, Entry], old: str, new: str, message: str) -> None:
    assert old in node.GRUB
    tree[GRUB] = node.GRUB.replace(old, new)
    found = [(subject, text) for subject, text in faults(tree) if subject.startswith("entry")]
    assert [(subject, message in text) for subject, text in found] == [("entry Debian", True)]


@pytest.mark.parametrize("root", ["PARTUUID=0000-01", "/dev/mapper/vg-root", "/dev/disk/by-label/x"])
def test_names_that_only_a_running_system_can_resolve_are_believed(tree: dict[str, Entry], root: str) -> None:
    tree[GRUB] = node.GRUB.replace(f"root=LABEL={node.LABEL}", f"root={root}")
    assert faults(tree) == []


@pytest.mark.parametrize(
    ("line", "subject", "message"),
    [
        ("UUID=dead /data ext4 defaults", "fstab /data", "no file system of this disk"),
        ("/dev/vdb /data ext4 defaults", "fstab /data", "device name"),
        (f"LABEL={node.LABEL} / ext4 ro", "fstab /", "mounted twice"),
    ],
)
def test_fstab_waits_for_what_is_not_there(tree: dict[str, Entry], line: str, subject: str, message: str) -> None:
    tree["/etc/fstab"] = f"LABEL={node.LABEL} / ext4 defaults\n{line}\n"
    ((found, text),) = faults(tree)
    assert found == subject
    assert message in text


@pytest.mark.parametrize(
    "line",
    [
        "UUID=dead /data ext4 nofail",
        "UUID=dead /data ext4 defaults,noauto",
        "filer:/x /data nfs defaults",
        "tmpfs /tmp tmpfs size=1G",
        f"UUID={node.UUID} /other ext4 defaults",
    ],
)
def test_fstab_may_have_what_the_boot_does_not_wait_for(tree: dict[str, Entry], line: str) -> None:
    tree["/etc/fstab"] = f"LABEL={node.LABEL} / ext4 defaults\n{line}\n"
    assert faults(tree) == []


def test_fstab_and_kernel_have_different_roots(tree: dict[str, Entry]) -> None:
    other = Filesystem("/dev/sda2", "ext4", None, "other", "0000-0002")
    disk = replace(node.disk(), filesystems=(*node.disk().filesystems, other))
    for source in ("LABEL=other", "UUID=0000-0002"):
        tree["/etc/fstab"] = f"{source} / ext4 defaults\n"
        assert faults(tree, disk) == [("fstab /", f"/ is {source}, but the kernel is given root=LABEL={node.LABEL}")]
    tree["/etc/fstab"] = f"UUID={node.UUID} / ext4 defaults\n"
    assert faults(tree, disk) == []


def test_a_root_that_stays_read_only(tree: dict[str, Entry]) -> None:
    tree["/etc/fstab"] = ""
    assert faults(tree) == [("fstab /", "it does not mention /, so the root file system stays read-only")]
    tree[GRUB] = node.GRUB.replace(" ro ", " rw ")
    assert faults(tree) == []


def test_the_console(tree: dict[str, Entry]) -> None:
    finding = only(check(tree, console=["hvc0"]))
    assert (finding.subject, finding.status, finding.actual) == ("console hvc0", Status.FAIL, "tty0, ttyS0")
    assert only(check(tree, console=["ttyAMA0 | ttyS0"])).status is Status.PASS
    tree[GRUB] = ""
    assert only(check(tree, console=["ttyS0"])).message == "there is no default entry"


def test_what_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[GRUB] = Broken()
    with pytest.raises(Exception, match="Input/output error"):
        check(tree)


def test_nothing_asked_is_skipped(tree: dict[str, Entry]) -> None:
    assert only(ask("boot", tree, images.policy())).status is Status.SKIP


@pytest.mark.parametrize("console", ["ttyS0,115200", "", "a b", None])
def test_a_console_is_a_name(console: object) -> None:
    with pytest.raises(ValueError, match="a console without options"):
        images.rules(boot={"console": [console]})
