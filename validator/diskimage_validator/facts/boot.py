"""What brings the image up: kernels, initial RAM disks, modules, the boot loader's menu and fstab.

The menu is that of GRUB (``grub.cfg``, with entries of the Boot Loader Specification where it asks for them), of
extlinux, or of the specification alone. Paths in a menu are relative to the file system that GRUB reads them from:
below ``/boot`` where that is a file system of its own. Of a command line only options without secrets are kept.
"""

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EntryNotFoundError, TargetError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.fstab import Mount, read_fstab
from diskimage_validator.facts.loader_text import (
    MenuEntry,
    Variables,
    parse_bls,
    parse_environment,
    parse_extlinux,
    parse_grub,
)
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

GRUB: Final = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")
EXTLINUX: Final = ("/boot/extlinux/extlinux.conf", "/boot/syslinux/syslinux.cfg")
BLS: Final = "/boot/loader/entries"
KERNEL_NAMES: Final = ("vmlinuz-", "vmlinux-", "Image-")
INITRD_NAMES: Final = ("initrd.img-{}", "initramfs-{}.img", "initrd-{}", "initramfs-{}")
KEPT: Final = frozenset({"root", "rootfstype", "ro", "rw", "console", "systemd.unit", "single", "init", "resume"})
READ_LIMIT: Final = 1024 * 1024
MAX_FILES: Final = 1_000


@dataclass(frozen=True)
class Kernel:
    """A kernel in /boot. ``initrd`` is None if there is none for it; sizes in bytes.

    ``modules``: whether its folder below ``/lib/modules`` has a ``modules.dep``.
    """

    version: str
    path: str
    size: int
    initrd: str | None
    initrd_size: int
    modules: bool


@dataclass(frozen=True)
class Loaded:
    """A file that a menu names. ``path`` is where it is, or should be, in the target; ``size`` None: not there."""

    path: str
    size: int | None


@dataclass(frozen=True)
class BootEntry:
    """An entry of the menu, and where it is. ``searched`` are UUIDs and labels that the boot loader looks for."""

    title: str
    kernel: Loaded | None
    initrds: tuple[Loaded, ...]
    options: tuple[str, ...]
    searched: tuple[str, ...]
    path: str
    line: int

    def values(self, name: str) -> list[str]:
        """Return the values of an option of the kernel's command line."""
        return [option.partition("=")[2] for option in self.options if option.partition("=")[0] == name]


@dataclass(frozen=True)
class Boot:
    """How the target boots. ``loader`` is ``grub``, ``bls``, ``extlinux`` or empty; ``path`` its file or folder.

    ``default_name`` is what the boot loader calls its default; ``default_index`` its entry, None if there is none.
    """

    kernels: tuple[Kernel, ...]
    loader: str
    path: str
    entries: tuple[BootEntry, ...]
    default_name: str
    default_index: int | None
    mounts: tuple[Mount, ...]

    @property
    def default(self) -> BootEntry | None:
        """The entry that is booted."""
        return None if self.default_index is None else self.entries[self.default_index]

    @property
    def starts_writable(self) -> bool:
        """Whether systemd finds a writable root file system when it starts; with ``ro`` fstab makes it so later."""
        modes = [option for option in (self.default.options if self.default else ()) if option in ("ro", "rw")]
        return self.default is not None and modes[-1:] != ["ro"]


def read_boot(engine: Engine) -> Boot:
    """Return how the target boots. Raises FactError if there is too much of anything."""
    mounts = read_fstab(engine)
    places = _Places(engine, any(mount.mountpoint.rstrip("/") == "/boot" for mount in mounts))
    loader, path, found, default = _menu(engine)
    entries = [(entry, source) for entry, source in found if entry.kernel]
    index = next((index for index, (entry, _) in enumerate(entries) if entry.is_default(default)), None)
    return Boot(
        kernels=_kernels(engine),
        loader=loader,
        path=path,
        entries=tuple(places.entry(entry, source) for entry, source in entries),
        default_name=clean_path(default),
        default_index=index,
        mounts=mounts,
    )


def _menu(engine: Engine) -> tuple[str, str, list[tuple[MenuEntry, str]], str]:
    """Return kind and path of the menu, its entries with the file of each, and what it calls its default."""
    path = next((path for path in GRUB if _size(engine, path) is not None), "")
    if path:
        block = posixpath.join(posixpath.dirname(path), "grubenv")
        variables = parse_environment(engine.read(block, limit=READ_LIMIT)) if _size(engine, block) is not None else {}
        menu = parse_grub(engine.read(path, limit=READ_LIMIT), path, variables)
        entries = [(entry, path) for entry in menu.entries]
        if menu.has_bls:
            entries += _bls(engine, menu.variables, len(entries))
        default = variables.get("saved_entry", "") if _is_saved(menu.defaults) else _literal(menu.defaults)
        return "grub", path, entries, default or "0"
    path = next((path for path in EXTLINUX if _size(engine, path) is not None), "")
    if path:
        found, default = parse_extlinux(engine.read(path, limit=READ_LIMIT))
        return "extlinux", path, [(entry, path) for entry in found], default
    entries = _bls(engine, Variables(), 0)
    return ("bls", BLS, entries, "0") if entries else ("", "", [], "")


def _is_saved(defaults: Iterable[str]) -> bool:
    return any("saved_entry" in value for value in defaults)


def _literal(defaults: Iterable[str]) -> str:
    """Return the last default that is no variable: ``next_entry`` is empty unless somebody sets it on the node."""
    return next((value for value in reversed(list(defaults)) if "$" not in value), "")


def _bls(engine: Engine, variables: Variables, first: int) -> list[tuple[MenuEntry, str]]:
    """Return the entries of the Boot Loader Specification, the newest kernel first."""
    try:
        names = [name for name in engine.listdir(BLS) if name.endswith(".conf")]
    except EntryNotFoundError:
        return []
    if len(names) > MAX_FILES:
        raise FactError(f"more than {MAX_FILES} entries in {BLS}")
    found = []
    for number, name in enumerate(sorted(names, key=_natural, reverse=True), first):
        path = posixpath.join(BLS, name)
        found.append((parse_bls(engine.read(path, limit=READ_LIMIT), number, name, variables), path))
    return found


def _natural(name: str) -> list[tuple[int, str]]:
    """Order numbers in a name by value; GRUB sorts the specification's entries the same way."""
    return [(int(digits or -1), text) for digits, text in re.findall(r"([0-9]{1,18})|([^0-9]+)", name)]


def _kernels(engine: Engine) -> tuple[Kernel, ...]:
    try:
        names = engine.listdir("/boot")
    except EntryNotFoundError:
        return ()
    found = [(name, name.removeprefix(prefix)) for name in names for prefix in KERNEL_NAMES if name.startswith(prefix)]
    if len(found) > MAX_FILES:
        raise FactError(f"more than {MAX_FILES} kernels in /boot")
    return tuple(_kernel(engine, f"/boot/{name}", version) for name, version in found)


def _kernel(engine: Engine, path: str, version: str) -> Kernel:
    candidates = (f"/boot/{pattern.format(version)}" for pattern in INITRD_NAMES)
    initrd = next((candidate for candidate in candidates if _size(engine, candidate) is not None), None)
    return Kernel(
        version=clean_path(version),
        path=clean_path(path),
        size=_size(engine, path) or 0,
        initrd=clean_path(initrd) if initrd else None,
        initrd_size=(_size(engine, initrd) or 0) if initrd else 0,
        modules=_size(engine, f"/lib/modules/{version}/modules.dep") is not None,
    )


def _size(engine: Engine, path: str) -> int | None:
    """Return the size of the regular file that ``path`` leads to, None if there is none."""
    if "\0" in path:
        return None
    try:
        entry = engine.stat(path)
    except TargetError:  # links in a circle
        return None
    return entry.size if entry and entry.is_file else None


class _Places:
    """Where the files that a menu names are in the target."""

    def __init__(self, engine: Engine, separate_boot: bool) -> None:
        self._engine = engine
        self._prefix = "/boot" if separate_boot else ""

    def entry(self, entry: MenuEntry, source: str) -> BootEntry:
        options = (option for option in entry.options if option.partition("=")[0] in KEPT)
        return BootEntry(
            title=entry.way[-1].title,
            kernel=self._locate(entry.kernel, source),
            initrds=tuple(self._locate(path, source) for path in entry.initrds),
            options=tuple(options),
            searched=tuple(entry.searched),
            path=clean_path(source),
            line=entry.line,
        )

    def _locate(self, written: str, source: str) -> Loaded:
        """Undo ``(hd0,msdos1)/boot/vmlinuz`` and, on btrfs, ``/@/boot/vmlinuz``."""
        path = written.partition(")")[2] if written.startswith("(") else written
        if not path.startswith("/"):
            return self._beside(path, source)
        path = self._prefix + path
        size = _size(self._engine, path)
        if size is None and path.startswith("/@"):
            path = "/" + path.lstrip("/").partition("/")[2]
            size = _size(self._engine, path)
        return Loaded(path, size)

    def _beside(self, name: str, source: str) -> Loaded:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), name))
        return Loaded(path, _size(self._engine, path))
