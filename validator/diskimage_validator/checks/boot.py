"""Kernel, initial RAM disk, boot loader and fstab are there and agree with each other and with the disk.

With ``check: true``:

- a kernel is in ``/boot``, is not empty, and has its modules and an initial RAM disk;
- the boot loader has a menu (GRUB, entries of the Boot Loader Specification, extlinux) and a default entry; every
  entry's kernel and initial RAM disk are where it says;
- ``root=`` of every entry, and what GRUB searches, name a file system of this disk, by LABEL or UUID: device names
  depend on the hypervisor's bus;
- fstab mounts the root that the kernel is given, mounts nothing twice, and every file system that the boot waits for is
  on this disk, comes over the network or is marked ``nofail`` or ``noauto``.

``console`` lists devices that have to be among the ``console=`` of the default entry.

What needs the disk is skipped for a target without one, such as an unpacked folder.

.. rubric:: Example

With this policy::

    boot:
      check: true
      console: [ttyS0]

an image passes whose default entry starts ``/boot/vmlinuz-6.1.0-28-amd64`` with ``root=LABEL=cloudimg-rootfs
console=ttyS0,115200``, and whose one file system has that label.

An image fails whose kernel was updated without a new initial RAM disk, whose menu still names the old kernel, or whose
fstab waits for a ``/data`` that is on another disk.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.boot import Boot, BootEntry, Kernel
from diskimage_validator.facts.disk import DiskFacts
from diskimage_validator.facts.fstab import Mount
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.services import BootRules

ID: Final = "boot"
TITLE: Final = "Boot"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("boot", "disk")

NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "ceph", "glusterfs", "fuse.sshfs", "9p", "virtiofs"})
PSEUDO: Final = frozenset(
    [
        "tmpfs",
        "proc",
        "sysfs",
        "devpts",
        "devtmpfs",
        "none",
        "overlay",
        "hugetlbfs",
        "mqueue",
        "tracefs",
        "debugfs",
        "cgroup2",
        "bpf",
        "binfmt_misc",
    ]
)
NOT_AWAITED: Final = frozenset({"nofail", "noauto", "_netdev", "bind", "rbind", "x-systemd.automount"})
STABLE: Final = ("/dev/mapper/", "/dev/disk/by-")
_FSTAB: Final = "/etc/fstab"


def asked(policy: Policy) -> bool:
    """Whether the policy asks about booting."""
    return policy.rules.boot != BootRules()


def check(question: Question) -> Iterator[Finding]:
    """Yield findings for every kernel, every entry, every line of fstab and every console."""
    rules, boot = question.rules.boot, known(question.facts.boot)
    if rules.check:
        disk = known(question.facts.disk)
        yield from _check_kernels(boot)
        yield from _check_menu(boot)
        for entry in boot.entries:
            yield from _check_entry(entry, disk)
        yield from _check_fstab(boot, disk)
    for console in rules.console:
        yield _check_console(console, boot)


def _check_kernels(boot: Boot) -> Iterator[Finding]:
    if not boot.kernels:
        hint = "install the distribution's kernel package"
        yield Finding("kernel", Status.FAIL, "there is no kernel in /boot", "a kernel", "none", hint, "/boot")
    for kernel in boot.kernels:
        fault, hint = _kernel_fault(kernel)
        message = fault or "kernel, initial RAM disk and modules are there"
        status = Status.FAIL if fault else Status.PASS
        yield Finding(
            f"kernel {kernel.version}", status, message, "initial RAM disk and modules", "", hint, kernel.path
        )


def _kernel_fault(kernel: Kernel) -> tuple[str, str]:
    if not kernel.size:
        return "the kernel is empty, or no file", "install the kernel package again"
    if not kernel.initrd:
        return "it has no initial RAM disk", "run update-initramfs -c or dracut for this kernel"
    if not kernel.initrd_size:
        return f"{kernel.initrd} is empty", "run update-initramfs -u or dracut -f for this kernel"
    if not kernel.modules and not kernel.version.startswith("0-rescue-"):
        return f"/lib/modules/{kernel.version} has no modules.dep", "install its modules and run depmod"
    return "", ""


def _check_menu(boot: Boot) -> Iterator[Finding]:
    expected = "a menu with a default entry"
    hint = "run update-grub or grub2-mkconfig in the image"
    if not boot.entries:
        message = f"{boot.path} has no entry that starts a kernel" if boot.loader else "there is no boot loader's menu"
        yield Finding("boot loader", Status.FAIL, message, expected, "none", hint, boot.path)
    elif boot.default is None:
        message = f"its default, {boot.default_name}, is none of its {len(boot.entries)} entries"
        yield Finding("boot loader", Status.FAIL, message, expected, boot.default_name, hint, boot.path)
    else:
        message = f"{boot.loader}, entries: {len(boot.entries)}; it boots {boot.default.title}"
        yield Finding("boot loader", Status.PASS, message, expected, boot.default.title, path=boot.path)


def _check_entry(entry: BootEntry, disk: DiskFacts | None) -> Iterator[Finding]:
    subject = f"entry {entry.title}"
    faults = [fault for fault in _entry_faults(entry, disk) if fault]
    for fault in faults:
        hint = "run update-grub or grub2-mkconfig in the image"
        yield Finding(subject, Status.FAIL, fault, "what it names is there", "", hint, entry.path, entry.line)
    if not faults:
        message = "its kernel, initial RAM disk and root are there"
        if disk is None:
            message = "its kernel and initial RAM disk are there; there is no disk to look for its root on"
        yield Finding(subject, Status.PASS, message, "what it names is there", path=entry.path, line=entry.line)


def _entry_faults(entry: BootEntry, disk: DiskFacts | None) -> Iterator[str]:
    for loaded in (entry.kernel, *entry.initrds):
        if loaded and not loaded.size:
            yield f"{loaded.path} is {'not there' if loaded.size is None else 'empty'}"
    if not entry.initrds:
        yield "it loads no initial RAM disk"
    roots = entry.values("root")
    yield "root= is missing" if not roots else _source_fault(f"root={roots[-1]}", roots[-1], disk)
    for searched in entry.searched:
        if disk and not any(searched in (found.uuid, found.label) for found in disk.filesystems):
            yield f"GRUB searches a file system {searched}, which is not on this disk"


def _source_fault(what: str, source: str, disk: DiskFacts | None) -> str:
    """Return what is wrong with the name of a file system that the boot waits for; empty if nothing seems to be."""
    kind, found, value = source.partition("=")
    value = value.strip('"')
    if kind in ("LABEL", "UUID") and found:
        there = disk is None or any(value == (fs.label if kind == "LABEL" else fs.uuid) for fs in disk.filesystems)
        return "" if there else f"{what}: no file system of this disk has that {kind}"
    if source.startswith("/dev/") and not source.startswith(STABLE):
        return f"{what} is a device name, which depends on the hypervisor's bus"
    return ""


def _check_fstab(boot: Boot, disk: DiskFacts | None) -> Iterator[Finding]:
    expected, seen = "mounted at boot, from this disk", set[str]()
    hint = "name the file system by LABEL or UUID, or mark the line nofail"
    faults = 0
    for mount in boot.mounts:
        fault = _mount_fault(mount, boot, disk)
        place = mount.mountpoint
        if place.startswith("/") and place in seen:
            fault = f"{place} is mounted twice"
        seen.add(place)
        if fault:
            faults += 1
            yield Finding(f"fstab {place}", Status.FAIL, fault, expected, mount.source, hint, _FSTAB, mount.line)
    root = boot.default
    if "/" not in seen and root and "rw" not in root.options:
        message = "it does not mention /, so the root file system stays read-only"
        faults += 1
        yield Finding("fstab /", Status.FAIL, message, expected, "none", "add a line for /", _FSTAB)
    if not faults:
        yield Finding("fstab", Status.PASS, f"entries: {len(boot.mounts)}", expected, path=_FSTAB)


def _mount_fault(mount: Mount, boot: Boot, disk: DiskFacts | None) -> str:
    if mount.type in NETWORK | PSEUDO or NOT_AWAITED.intersection(mount.options):
        return ""
    if fault := _source_fault(mount.source, mount.source, disk):
        return fault
    entry = boot.default
    roots = entry.values("root") if entry else []
    if mount.mountpoint == "/" and roots and not _is_same(mount.source, roots[-1], disk):
        return f"/ is {mount.source}, but the kernel is given root={roots[-1]}"
    return ""


def _is_same(one: str, other: str, disk: DiskFacts | None) -> bool:
    """Whether two names mean one file system. Names of different kinds need the disk; without it they are believed."""
    if one.partition("=")[0] == other.partition("=")[0]:
        return one == other
    devices = [_device(name, disk) for name in (one, other)]
    return None in devices or devices[0] == devices[1]


def _device(source: str, disk: DiskFacts | None) -> str | None:
    kind, _, value = source.partition("=")
    for found in disk.filesystems if disk else ():
        if value and value == {"LABEL": found.label, "UUID": found.uuid}.get(kind):
            return found.device
    return None


def _check_console(consoles: tuple[str, ...], boot: Boot) -> Finding:
    entry, expected = boot.default, " or ".join(consoles)
    subject = f"console {' | '.join(consoles)}"
    names = [value.partition(",")[0] for value in entry.values("console")] if entry else []
    actual = ", ".join(names) or "none"
    path, line = (entry.path, entry.line) if entry else (boot.path, 0)
    if set(consoles).intersection(names):
        return Finding(subject, Status.PASS, f"consoles: {actual}", expected, actual, path=path, line=line)
    message = "the default entry's command line does not have it" if entry else "there is no default entry"
    hint = f"add console={consoles[0]} to the kernel's command line"
    return Finding(subject, Status.FAIL, message, expected, actual, hint, path, line)
