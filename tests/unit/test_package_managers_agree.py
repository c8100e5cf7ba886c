"""What dpkg, debsums and rpm themselves find in a tree, and what this project finds: the same files."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.facts import collect
from diskimage_validator.facts.package_files import PackageFiles

needs_rpm = pytest.mark.skipif(not shutil.which("rpmbuild"), reason="RPM makes and verifies: install rpm")
needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg makes and verifies: install dpkg")
needs_debsums = pytest.mark.skipif(not shutil.which("debsums"), reason="install debsums")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="dpkg and rpm install as root only")
OS_RELEASE = {"dpkg": "ID=debian\nVERSION_ID=12\n", "rpm": "ID=rocky\nVERSION_ID=9.4\n"}
FILES = {
    "usr/bin/tool": "program",
    "usr/lib/tool/one": "one",
    "usr/lib/tool/with space": "two",
    "usr/share/doc/tool/manual": "manual",
    "etc/tool.conf": "config",
    "etc/tool.d/other.conf": "other",
}
DPKG = ["dpkg", "--force-not-root", "--force-script-chrootless", "--log=/dev/null"]


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ, **environment})
    return done.stdout + done.stderr


def deb(folder: Path, name: str, files: dict[str, str], **fields: str) -> Path:
    """Make a package; what is in /etc is its configuration, of the rest it brings the digests, as debhelper does."""
    source = folder / name
    for path, content in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(content)
    (source / "DEBIAN").mkdir()
    control = {"Package": name, "Version": "1", "Architecture": "all", "Maintainer": "T <t@example.org>"}
    text = "".join(f"{key}: {value}\n" for key, value in {**control, **fields, "Description": "test"}.items())
    (source / "DEBIAN/control").write_text(text)
    (source / "DEBIAN/conffiles").write_text("".join(f"/{path}\n" for path in files if path.startswith("etc/")))
    sums = [f"{_md5(content)}  {path}\n" for path, content in files.items() if not path.startswith("etc/")]
    (source / "DEBIAN/md5sums").write_text("".join(sums))
    subprocess.run(["dpkg-deb", "--build", str(source)], check=True, capture_output=True)
    return folder / f"{name}.deb"


def _md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    """Install two packages, of which the second takes a file of the first over."""
    root = tmp_path / "root"
    for path in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/lib", "etc"):
        (root / path).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    (root / "etc/os-release").write_text(OS_RELEASE["dpkg"])
    made = [deb(tmp_path, "tool", FILES), deb(tmp_path, "taker", {"usr/lib/tool/one": "taken"}, Replaces="tool")]
    for package in made:
        subprocess.run([*DPKG, f"--root={root}", "--install", str(package)], check=True, capture_output=True)
    return root


@pytest.fixture
def rhel(tmp_path: Path) -> Path:
    """Install a package with RPM: with a link, a ghost, and a file that may be missing."""
    root = tmp_path / "root"
    spec = ["Name: tool", "Version: 1", "Release: 1", "Summary: test", "License: none", "BuildArch: noarch"]
    spec += ["%description", "test", "%install"]
    for path, content in FILES.items():
        spec += [
            f'install -D -m 644 /dev/null "%{{buildroot}}/{path}"',
            f'printf %s {content} >"%{{buildroot}}/{path}"',
        ]
    spec += ["ln -s tool %{buildroot}/usr/bin/link", "%files", "/usr/bin/tool", "/usr/bin/link", '"/usr/lib/tool"']
    spec += ["%doc /usr/share/doc/tool/manual", "%config /etc/tool.conf", "%config(noreplace missingok) /etc/tool.d/*"]
    spec += ["%ghost /var/log/tool.log"]
    (tmp_path / "tool.spec").write_text("\n".join([*spec, ""]))
    build = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {tmp_path}", "--define", "__spec_install_post %{nil}"]
    subprocess.run([*build, str(tmp_path / "tool.spec")], check=True, capture_output=True)
    subprocess.run([*rpm_of(root), "-i", *map(str, tmp_path.glob("RPMS/*/*.rpm"))], check=True, capture_output=True)
    (root / "etc/os-release").write_text(OS_RELEASE["rpm"])
    return root


def rpm_of(root: Path) -> list[str]:
    return ["rpm", "--root", str(root), "--dbpath", "/var/lib/rpm", "--define", "_db_backend sqlite", "--nodeps"]


def ours(root: Path) -> dict[str, str]:
    """Return path to kind of what this project finds; what cannot be read fails."""
    with DirectoryEngine(root) as engine:
        found = collect(engine, only=["package_files"]).package_files
    assert isinstance(found, PackageFiles), found
    assert (found.problems, found.unlisted) == ((), ())
    return {one.path: one.kind for one in found.differing}


def verified(said: str) -> dict[str, str]:
    """Return path to kind of what ``dpkg --verify`` or ``rpm -V`` said of contents, links and files that are gone."""
    found = {}
    for line in said.splitlines():
        flags, _, path = line.partition("/")
        if flags.startswith("missing"):
            found[f"/{path}"] = "missing"
        elif "5" in flags or "L" in flags.split(" ")[0]:
            found[f"/{path}"] = "changed"
    return found


def sound(root: Path) -> None:
    assert (root / "usr/bin/tool").exists()


def changed(root: Path) -> None:
    (root / "usr/lib/tool/with space").write_text("x")


def emptied(root: Path) -> None:
    (root / "usr/bin/tool").write_text("")


def removed(root: Path) -> None:
    (root / "usr/share/doc/tool/manual").unlink()


def edited(root: Path) -> None:
    (root / "etc/tool.conf").write_text("x")
    (root / "etc/tool.d/other.conf").write_text("x")


def configuration_removed(root: Path) -> None:
    (root / "etc/tool.conf").unlink()
    (root / "etc/tool.d/other.conf").unlink()


def merged(root: Path) -> None:
    (root / "usr/lib").rename(root / "usr/real")
    (root / "usr/lib").symlink_to("real")
    (root / "usr/real/tool/with space").write_text("x")


CHANGES = [sound, changed, emptied, removed, edited, configuration_removed, merged]
Change = Callable[[Path], None]


def diverted(root: Path) -> None:
    place = root / "usr/bin/tool.real"
    (root / "usr/bin/tool").rename(place)
    (root / "usr/bin/tool").write_text("ours")
    (root / "var/lib/dpkg/diversions").write_text("/usr/bin/tool\n/usr/bin/tool.real\n:\n")


def diverted_and_changed(root: Path) -> None:
    diverted(root)
    (root / "usr/bin/tool.real").write_text("x")


def diverted_by_itself(root: Path) -> None:
    (root / "var/lib/dpkg/diversions").write_text("/usr/bin/tool\n/usr/bin/tool.real\ntool\n")
    (root / "usr/bin/tool").write_text("x")


@as_root
@needs_dpkg
@pytest.mark.parametrize("change", [*CHANGES, diverted, diverted_by_itself])
def test_dpkg_finds_the_same(debian: Path, change: Change) -> None:
    change(debian)
    theirs = verified(run("dpkg", f"--root={debian}", "--verify", "tool", "taker"))
    assert ours(debian) == theirs
    assert bool(theirs) == (change not in (sound, diverted))


@as_root
@needs_dpkg
def test_a_file_that_is_diverted_is_held_though_dpkg_leaves_it_out(debian: Path) -> None:
    diverted_and_changed(debian)
    assert run("dpkg", f"--root={debian}", "--verify", "tool") == ""
    assert ours(debian) == {"/usr/bin/tool.real": "changed"}


@as_root
@needs_dpkg
@needs_debsums
@pytest.mark.parametrize("change", CHANGES)
def test_debsums_finds_the_same(debian: Path, change: Change) -> None:
    change(debian)
    said = run("debsums", f"--root={debian}", "--silent", "--all", LC_ALL="C")
    found = {}
    for line in said.splitlines():
        kind, _, path = line.removeprefix("debsums: ").partition(f" file {debian}")
        found[path.rpartition(" (from ")[0]] = kind
    assert ours(debian) == found


@as_root
@needs_dpkg
def test_digests_that_a_package_does_not_bring_are_dpkgs_own(tmp_path: Path, debian: Path) -> None:
    (tmp_path / "tool/DEBIAN/md5sums").unlink()
    subprocess.run(["dpkg-deb", "--build", str(tmp_path / "tool")], check=True, capture_output=True)
    (debian / "var/lib/dpkg/info/tool.md5sums").unlink()
    subprocess.run(
        [*DPKG, f"--root={debian}", "--install", str(tmp_path / "tool.deb")], check=True, capture_output=True
    )
    assert "etc/tool.conf" in (debian / "var/lib/dpkg/info/tool.md5sums").read_text()
    edited(debian)
    changed(debian)
    with DirectoryEngine(debian) as engine:
        found = collect(engine, only=["package_files"]).package_files
    assert isinstance(found, PackageFiles)
    assert {one.path: one.configuration for one in found.differing} == {
        "/etc/tool.conf": True,
        "/etc/tool.d/other.conf": True,
        "/usr/lib/tool/with space": False,
    }


@as_root
@needs_dpkg
def test_documentation_that_dpkg_is_told_to_leave_out_is_no_loss(tmp_path: Path, debian: Path) -> None:
    exclude = ["--path-exclude=/usr/share/doc/*", f"--root={debian}", "--install"]
    subprocess.run([*DPKG, *exclude, str(tmp_path / "tool.deb")], check=True, capture_output=True)
    assert not (debian / "usr/share/doc/tool/manual").exists()
    assert ours(debian) == {"/usr/share/doc/tool/manual": "missing"}, "nobody can know that"
    (debian / "etc/dpkg/dpkg.cfg.d").mkdir(parents=True)
    (debian / "etc/dpkg/dpkg.cfg.d/docs").write_text("path-exclude=/usr/share/doc/*\n")
    assert ours(debian) == {}


def linked_elsewhere(root: Path) -> None:
    (root / "usr/bin/link").unlink()
    (root / "usr/bin/link").symlink_to("elsewhere")


def link_removed(root: Path) -> None:
    (root / "usr/bin/link").unlink()


@as_root
@needs_rpm
@pytest.mark.parametrize("change", [*CHANGES, linked_elsewhere, link_removed])
def test_rpm_finds_the_same(rhel: Path, change: Change) -> None:
    change(rhel)
    options = ["--nouser", "--nogroup", "--nomode", "--nomtime"]
    theirs = verified(run(*rpm_of(rhel), "-V", *options, "tool"))
    # That rpm tells a folder from a link to one is about the folder, which is not held.
    theirs.pop("/usr/lib", None)
    assert ours(rhel) == theirs
    assert bool(theirs) == (change is not sound)


@as_root
@needs_rpm
def test_documentation_that_rpm_was_told_to_leave_out_is_no_loss(tmp_path: Path, rhel: Path) -> None:
    packages = map(str, tmp_path.glob("RPMS/*/*.rpm"))
    subprocess.run([*rpm_of(rhel), "-U", "--force", "--excludedocs", *packages], check=True, capture_output=True)
    (rhel / "usr/share/doc/tool/manual").unlink(missing_ok=True)
    assert run(*rpm_of(rhel), "-V", "--nomtime", "tool") == ""
    assert ours(rhel) == {}
