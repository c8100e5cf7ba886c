"""Run the hooks of an element for real, against a small root, in milliseconds and without touching the host.

A hook runs under DIB's own ``dib-run-parts``, among the merged hooks of its element, of an operating system element
and of all their dependencies, exactly as in a build. "Inside" hooks run in a real chroot. Its ``/etc``, ``/var``,
``/home`` and so on are fresh; its ``/usr`` is an overlay over the host's, with an empty ``/usr/local``, so that the
real ``update-ca-certificates``, ``visudo`` or ``useradd`` work on the fake ``/etc``. There is no network in it.

    def test_hook(fake_root):
        root = fake_root("zuul-node", family="redhat")
        root.write("/etc/thing", "text")
        run = root.run_inside("install.d/50-zuul-node", {"DIB_X": "y"})
        assert run.ok, run.output
        assert root.read("/etc/thing") == "text"

Needs root and overlayfs. See ``in_namespace.sh`` for what happens around the hook.
"""

import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import diskimage_builder
import yaml
from diskimage_builder.element_dependencies import get_elements

from tests.elements.families import ACCOUNTS, COPIED, FAMILIES, FOLDERS

ELEMENTS = Path(__file__).resolve().parents[2] / "elements"
DIB = Path(diskimage_builder.__file__).parent
DIB_ELEMENTS = DIB / "elements"
ELEMENTS_PATH = f"{ELEMENTS}:{DIB_ELEMENTS}"
NAMESPACE_SCRIPT = Path(__file__).with_name("in_namespace.sh")

# Kernel file systems and what DIB empties: not part of an image.
NOT_IN_IMAGE = {"dev", "proc", "sys", "tmp"}

# Folders of an element that generate_hooks leaves alone.
SKIPPED = {"tests", "test-elements", "__pycache__"}


@dataclass(frozen=True)
class Entry:
    """One path of a root: ``kind`` is the type as ``ls`` shows it (``-``, ``d``, ``l``, ``c``); ``content`` is the
    file's bytes or the link's target; ``mode`` holds permission bits; ``owner`` is (uid, gid).
    """

    kind: str
    mode: int
    owner: tuple[int, int]
    content: bytes


@dataclass(frozen=True)
class Run:
    """A finished hook. ``log`` is all that dib-run-parts printed; ``left_mounted`` lists mount points."""

    status: int
    log: str
    left_mounted: tuple[str, ...]

    @property
    def output(self) -> str:
        """What the hook itself printed, standard output and error together; all of ``log`` if it never started."""
        _, started, rest = self.log.partition("dib-run-parts Running ")
        return rest.partition("\n")[2].partition("dib-run-parts ")[0] if started else self.log

    @property
    def ok(self) -> bool:
        """Whether the hook ended with status 0."""
        return self.status == 0


class FakeRoot:
    """A root that hooks of ``element`` run against; ``base`` is an empty folder to build it in.

    ``path`` is the root as seen from outside. It shows everything the test and the hooks wrote; of ``/usr`` it shows
    only that, because the host's part exists while a hook runs. A file a hook deleted there is a ``c`` entry.
    """

    def __init__(self, base: Path, element: str, family: str = "debian") -> None:
        self.base = base
        self.path = base / "mnt"
        self.hooks = base / "hooks"
        self.element = element
        self.family = FAMILIES[family]
        for name in ("mnt", "hooks", "image", "cache", "home", "tmp", "work"):
            (base / name).mkdir(parents=True)
        self._make_root()
        self.elements = dict(get_elements([self.family.os_element, element], ELEMENTS_PATH))
        self._merge_hooks()

    def _make_root(self) -> None:
        for name, mode in FOLDERS.items():
            (self.path / name).mkdir()
            (self.path / name).chmod(mode)
        os.setxattr(self.path / "usr/local", "trusted.overlay.opaque", b"y")
        for name in ("bin", "sbin", "lib", "lib64"):
            (self.path / name).symlink_to(f"usr/{name}")
        for name in COPIED:
            self._copy_from_host(name)
        for name, (mode, text) in ACCOUNTS.items():
            self.write(f"/etc/{name}", text, mode)
        self.write("/etc/hostname", "fake\n")
        self.write("/etc/ca-certificates.conf", "")
        self.write("/etc/os-release", self.family.os_release)
        for folder in self.family.folders:
            self._inside(folder).mkdir(parents=True, exist_ok=True)
        for program in self.family.hidden:
            self.hide(program)
        self.stand_in("dib-python", 'exec /usr/bin/python3 "$@"')
        self.stand_in("install-packages", 'echo "$*" >> /tmp/installed-packages')

    def _copy_from_host(self, name: str) -> None:
        source, target = Path("/etc") / name, self.path / "etc" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True)
        elif source.exists():
            shutil.copy2(source, target)

    def _merge_hooks(self) -> None:
        """Copy the folders of all elements into one, as DIB's generate_hooks does; a clash of names is an error."""
        for path in map(Path, self.elements.values()):
            for folder in (entry for entry in path.iterdir() if entry.is_dir() and entry.name not in SKIPPED):
                for entry in folder.iterdir():
                    target = self.hooks / folder.name / entry.name
                    if target.is_file():
                        message = f"hook {folder.name}/{entry.name} of {path.name} is in another element too"
                        raise FileExistsError(message)
                    target.parent.mkdir(exist_ok=True)
                    copy_any(entry, target)
        shutil.copy2(DIB / "lib/dib-run-parts", self.hooks)

    def _inside(self, path: str) -> Path:
        return self.path / path.lstrip("/")

    def write(self, path: str, text: str | bytes, mode: int = 0o644) -> Path:
        """Write a file of the root, with its folders; return its path as seen from outside."""
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.exists(path):
            target.unlink(missing_ok=True)  # a white-out
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        target.chmod(mode)
        return target

    def read(self, path: str) -> str:
        """Return the text of a file that the test or a hook wrote."""
        return self._inside(path).read_text()

    def exists(self, path: str) -> bool:
        """Whether the test or a hook wrote ``path`` (links count, deleted files of the host's /usr do not)."""
        target = self._inside(path)
        return os.path.lexists(target) and not stat.S_ISCHR(target.lstat().st_mode)

    def mode(self, path: str) -> int:
        """Return the permission bits of a path."""
        return stat.S_IMODE(self._inside(path).lstat().st_mode)

    def hide(self, path: str) -> None:
        """Make a path of the host's ``/usr`` absent in the root (an overlayfs white-out)."""
        target = self._inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.mknod(target, stat.S_IFCHR, 0)

    def stand_in(self, name: str, script: str) -> None:
        """Put a bash script first on the PATH of inside hooks, for a command that cannot run here."""
        self.write(f"/tmp/stand-ins/{name}", f"#!/bin/bash\n{script}\n", 0o755)

    def add_hook(self, hook: str, script: str) -> None:
        """Add a bash hook of the test's own, such as ``install.d/99-look``, to run like those of the element."""
        path = self.hooks / hook
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    @property
    def installed_packages(self) -> list[str]:
        """Arguments of each call of ``install-packages``, in order."""
        log = self._inside("/tmp/installed-packages")
        return log.read_text().splitlines() if log.exists() else []

    def run_inside(self, hook: str, env: Mapping[str, str] | None = None) -> Run:
        """Run ``hook``, e.g. ``install.d/50-zuul-node``, in the chroot with DIB's environment plus ``env``."""
        mount_point = self._inside("/tmp/in_target.d")
        mount_point.mkdir()
        try:
            return self._run("inside", hook, env or {})
        finally:
            mount_point.rmdir()

    def run_outside(self, hook: str, env: Mapping[str, str] | None = None) -> Run:
        """Run ``hook``, e.g. ``root.d/01-x``, on the build host, where all but ``base`` is read-only."""
        return self._run("outside", hook, env or {})

    def run_twice(self, hook: str, env: Mapping[str, str] | None = None) -> Run:
        """Run an inside hook twice; fail unless both runs succeed and the second changes nothing."""
        run = self.run_inside(hook, env)
        assert run.ok, run.output
        first = self.tree()
        run = self.run_inside(hook, env)
        assert run.ok, run.output
        second = self.tree()
        changed = sorted(path for path in first.keys() | second.keys() if first.get(path) != second.get(path))
        assert not changed, f"the second run of {hook} changed {changed}"
        return run

    def tree(self) -> dict[str, Entry]:
        """Return every path an image would get from this root, with type, mode, owner and content."""
        found: dict[str, Entry] = {}
        for folder, folders, files in os.walk(self.path):
            if folder == str(self.path):
                folders[:] = [name for name in folders if name not in NOT_IN_IMAGE]
            for path in (Path(folder) / name for name in (*folders, *files)):
                found[f"/{path.relative_to(self.path)}"] = entry_of(path)
        return found

    def _run(self, where: str, hook: str, env: Mapping[str, str]) -> Run:
        phase, name = hook.split("/")
        if not (self.hooks / phase / name).is_file():
            message = f"no hook {hook} in {', '.join(self.elements)}"
            raise FileNotFoundError(message)
        command = ["unshare", "--mount", "--pid", "--fork", "--net", "--uts"]
        finished = subprocess.run(
            [*command, str(NAMESPACE_SCRIPT), where, str(self.base), phase],
            env={**self._dib_environment(), "RUN_PARTS_REGEX": f"^{name}$", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        left = self.base / "left-mounted"
        mounted = tuple(left.read_text().split()) if left.exists() else ()
        return Run(finished.returncode, finished.stdout, mounted)

    def _dib_environment(self) -> dict[str, str]:
        """What disk-image-create exports to every hook."""
        array = " ".join(f"[{name}]={path}" for name, path in self.elements.items())
        return {
            "ARCH": "amd64",
            "BASH_FUNC_get_image_element_array%%": f'() {{ echo "{array}"; }}',
            "DIB_DEBUG_TRACE": "0",
            "DIB_DEFAULT_INSTALLTYPE": "source",
            "DIB_IMAGE_CACHE": str(self.base / "cache"),
            "DIB_PYTHON_EXEC": "/usr/bin/python3",
            "DIB_RELEASE": self.family.release,
            "ELEMENTS_PATH": ELEMENTS_PATH,
            "HOME": str(self.base / "home"),
            "IMAGE_NAME": "fake",
            "IMAGE_ELEMENT": " ".join(self.elements),
            "IMAGE_ELEMENT_YAML": yaml.safe_dump(self.elements),
            "LC_ALL": "C",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "TARGET_ROOT": str(self.path),
            "TMPDIR": str(self.base / "tmp"),
            "TMP_BUILD_DIR": str(self.base),
            "TMP_HOOKS_PATH": str(self.hooks),
            "TMP_IMAGE_DIR": str(self.base / "image"),
            "TMP_MOUNT_PATH": str(self.path),
            "_LIB": str(DIB / "lib"),
        }


def copy_any(source: Path, target: Path) -> None:
    """Copy a file, or a folder with what is in it, keeping modes and links."""
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def entry_of(path: Path) -> Entry:
    """Describe one path without following links."""
    status = path.lstat()
    kind = stat.filemode(status.st_mode)[0]
    content = b""
    if kind == "l":
        content = os.fsencode(path.readlink())
    elif kind == "-":
        content = path.read_bytes()
    return Entry(kind, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid), content)
