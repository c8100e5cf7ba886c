"""Which tools of the image make the root file system fill its disk on first boot.

Sources: cloud-init's modules growpart and resizefs; DIB's element growroot; this project's element kolla-builder;
cloud-initramfs-growroot and dracut-modules-growroot; systemd-repart(8) and x-systemd.growfs in systemd.mount(5).
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.cloud_config import read_cloud_config
from diskimage_validator.facts.commands import PATH
from diskimage_validator.facts.reading import names_in, read_one
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import decode

UNIT_FOLDERS: Final = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
CLOUD_INIT_UNITS: Final = ("cloud-init.service", "cloud-init-main.service", "cloud-init-network.service")
CLOUD_INIT_OFF: Final = "/etc/cloud/cloud-init.disabled"
GROWROOT_OFF: Final = "/etc/growroot-disabled"
TOOLS: Final = ("growpart", "resize2fs", "xfs_growfs", "btrfs")
GROWFS: Final = ("/usr/lib/systemd/systemd-growfs", "/lib/systemd/systemd-growfs")
GROWFS_KINDS: Final = ("ext4", "xfs", "btrfs")
"""What systemd-growfs grows, systemd-growfs@.service(8)."""
INITRAMFS: Final = (
    "/usr/share/initramfs-tools/scripts/local-bottom/growroot",
    "/usr/lib/dracut/modules.d/50growroot/module-setup.sh",
)
REPART: Final = ("/etc/repart.d", "/usr/lib/repart.d", "/usr/local/lib/repart.d")
RESIZERS: Final = {"ext2": "resize2fs", "ext3": "resize2fs", "ext4": "resize2fs", "xfs": "xfs_growfs", "btrfs": "btrfs"}
"""Type of file system to the tool that grows it."""
MAX_MODULES: Final = 200


@dataclass(frozen=True)
class Grower:
    """Something that grows on boot.

    ``partition``: it grows the root's partition; ``filesystems``: the types that it grows; ``fault``: why it will not
    work in this image, empty if it will.
    """

    name: str
    partition: bool
    filesystems: tuple[str, ...]
    fault: str


@dataclass(frozen=True)
class Growth:
    """What is in the image for that purpose. ``tools`` are those of TOOLS that are on PATH."""

    growers: tuple[Grower, ...]
    tools: tuple[str, ...]


def read_growth(engine: Engine) -> Growth:
    """Return what would grow the root. Raises FactError if cloud-init is there and its configuration cannot be read."""
    tools = tuple(tool for tool in TOOLS if any(_is_program(engine, f"{folder}/{tool}") for folder in PATH))
    return Growth(tuple(_growers(engine, tools)), tools)


def _growers(engine: Engine, tools: tuple[str, ...]) -> Iterator[Grower]:
    growable = tuple(kind for kind, tool in RESIZERS.items() if tool in tools)
    growpart = "" if "growpart" in tools else "growpart is not on PATH"
    if any(_unit_is_there(engine, unit) for unit in CLOUD_INIT_UNITS):
        fault = _unit_fault(engine, CLOUD_INIT_UNITS) or (
            f"{CLOUD_INIT_OFF} switches it off" if engine.exists(CLOUD_INIT_OFF) else ""
        )
        config = read_cloud_config(engine)
        off = f"{GROWROOT_OFF} switches it off" if engine.exists(GROWROOT_OFF) else ""
        yield Grower("cloud-init growpart", True, (), fault or growpart_fault(config) or off or growpart)
        yield Grower("cloud-init resizefs", False, growable, fault or resizefs_fault(config))
    if _is_program(engine, "/usr/local/sbin/growroot"):  # it calls resize2fs, whatever the file system is
        kinds = tuple(kind for kind in growable if RESIZERS[kind] == "resize2fs")
        yield Grower("growroot.service", True, kinds, _unit_fault(engine, ("growroot.service",)) or growpart)
    growfs = "" if any(_is_program(engine, path) for path in GROWFS) else "systemd-growfs is not there"
    if _is_program(engine, "/usr/local/sbin/kolla-builder-grow-root"):  # growpart, then systemd-growfs
        kinds = () if growfs else GROWFS_KINDS
        unit = "kolla-builder-grow-root.service"
        yield Grower(unit, True, kinds, _unit_fault(engine, (unit,)) or growpart)
    if any(engine.exists(path) for path in INITRAMFS):
        off = f"{GROWROOT_OFF} switches it off" if engine.exists(GROWROOT_OFF) else ""
        yield Grower("growroot of the initial RAM disk", True, (), off or growpart)
    if any(name.endswith(".conf") for folder in REPART for name in names_in(engine, folder)):
        yield Grower("systemd-repart", True, (), _unit_fault(engine, ("systemd-repart.service",)))
    if _fstab_grows_root(engine):
        yield Grower("x-systemd.growfs", False, GROWFS_KINDS, growfs)


def growpart_fault(config: dict[str, Any]) -> str:
    """Return why this configuration of cloud-init does not grow the root's partition; empty if it does."""
    settings = config.get("growpart", {})
    settings = settings if isinstance(settings, dict) else {"mode": settings}
    mode = settings.get("mode", "auto")
    if mode not in ("auto", "growpart"):
        return f"growpart has the mode {str(mode)[:20]!r}"
    devices = settings.get("devices", ["/"])
    if not isinstance(devices, list) or "/" not in devices:
        return "growpart's devices do not include /"
    return "" if _has_module(config, "growpart") else "the module growpart is not in cloud_init_modules"


def resizefs_fault(config: dict[str, Any]) -> str:
    """Return why this configuration of cloud-init does not grow the root's file system; empty if it does."""
    wanted = config.get("resize_rootfs", True)
    if wanted not in (True, "noblock"):
        return f"resize_rootfs is {str(wanted)[:20]!r}"
    return "" if _has_module(config, "resizefs") else "the module resizefs is not in cloud_init_modules"


def _has_module(config: dict[str, Any], name: str) -> bool:
    modules = config.get("cloud_init_modules", [])
    modules = modules[:MAX_MODULES] if isinstance(modules, list) else []
    names = (entry[0] if isinstance(entry, list) and entry else entry for entry in modules)
    return name in names


def _unit_is_there(engine: Engine, unit: str) -> bool:
    return any(engine.exists(f"{folder}/{unit}") for folder in UNIT_FOLDERS)


def _unit_fault(engine: Engine, units: Iterable[str]) -> str:
    """Return why systemd starts none of ``units``: masked, or no target wants it; empty if it starts one."""
    faults = []
    for unit in units:
        if engine.resolve(f"{UNIT_FOLDERS[0]}/{unit}") == "/dev/null":
            faults.append(f"{unit} is masked")
        elif any(
            engine.lstat(f"{folder}/{name}/{unit}") is not None
            for folder in UNIT_FOLDERS
            for name in names_in(engine, folder)
            if name.endswith((".wants", ".requires"))
        ):
            return ""
    return faults[0] if faults else f"{next(iter(units))} is not enabled"


def _fstab_grows_root(engine: Engine) -> bool:
    data = read_one(engine, "/etc/fstab")
    lines = [line.split() for line in decode(data if isinstance(data, bytes) else b"").split("\n")]
    roots = [fields for fields in lines if len(fields) > 3 and fields[1] == "/" and not fields[0].startswith("#")]
    return any("x-systemd.growfs" in fields[3].split(",") for fields in roots)


def _is_program(engine: Engine, path: str) -> bool:
    entry = engine.stat(path)
    return entry is not None and entry.is_executable
