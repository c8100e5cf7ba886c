"""Files of packages: the real image is sound, and whoever reads the files finds the same."""

import hashlib
import os
from pathlib import Path

import pytest

from diskimage_validator import open_target
from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.guestfs import GuestfsEngine
from diskimage_validator.engines.ssh.engine import SshEngine
from diskimage_validator.facts.package_files import PackageFiles
from diskimage_validator.model import Status
from diskimage_validator.policy import load_policy
from diskimage_validator.runner import inspect, validate
from tests.functional.conftest import BuiltImage
from tests.support import disk_layouts, images
from tests.support.memory_engine import Entry
from tests.support.sshd import SFTP_SERVER, serve

NAMES = ["plain", "with space", "back\\slash", "-z", "$(touch x)", "'", " ", "*", "é"]
PIECE = 1 << 22
POLICY = """\
version: 1
name: intact
certificates: {anchors: false}
packages: {intact: {}}
"""


def files_of(target: str, engine: str) -> PackageFiles:
    found = inspect(target, engine=engine, only=["package_files"])
    assert isinstance(found.package_files, PackageFiles), found.package_files
    assert found.engine == engine
    return found.package_files


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def copy_out(engine: Engine, folder: Path) -> None:
    """Write all folders, files and links of the target below ``folder``."""
    folder.mkdir()
    for path, entry in engine.walk("/"):
        place = f"{folder}{path}"
        if entry.is_dir:
            Path(place).mkdir()
        elif entry.is_link:
            Path(place).symlink_to(engine.readlink(path))
        elif entry.is_file:
            with Path(place).open("wb") as file:
                for offset in range(0, entry.size, PIECE):
                    file.write(engine.read(path, offset=offset, limit=PIECE, whole=False))


@pytest.fixture(scope="module")
def direct(node_image: BuiltImage) -> PackageFiles:
    return files_of(str(node_image.path), "direct")


def test_the_real_image_has_every_file_as_its_package_brought_it(node_image: BuiltImage, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICY)
    report = validate(str(node_image.path), load_policy(str(tmp_path / "policy.yaml")), engine="direct")
    (result,) = (result for result in report.results if result.check == "packages-intact")
    assert result.status is Status.PASS, result.finding


def test_nearly_all_of_the_real_image_is_read(direct: PackageFiles) -> None:
    assert (direct.count, direct.unlisted, direct.problems) == (0, (), ())
    assert direct.files > 15_000
    assert direct.configuration > 200
    assert direct.size > 500 << 20


def test_guestfs_finds_the_same_in_the_real_image(node_image: BuiltImage, direct: PackageFiles) -> None:
    assert files_of(str(node_image.path), "guestfs") == direct


def test_the_unpacked_image_has_the_same_and_each_change_is_found(
    node_image: BuiltImage, direct: PackageFiles, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    with open_target(str(node_image.path), engine="direct") as engine:
        copy_out(engine, root)
    assert files_of(f"dir:{root}", "directory") == direct
    (root / "usr/bin/jq").write_bytes(b"x")
    (root / "usr/share/doc/jq/copyright").unlink()
    (root / "usr/bin/skopeo").rename(root / "usr/bin/skopeo.real")
    with (root / "var/lib/dpkg/diversions").open("a") as file:
        file.write("/usr/bin/skopeo\n/usr/bin/skopeo.real\n:\n/usr/bin/podman\n/usr/bin/podman.real\n:\n")
    found = files_of(f"dir:{root}", "directory")
    assert {one.path: one.kind for one in found.differing} == {
        "/usr/bin/jq": "changed",
        "/usr/share/doc/jq/copyright": "missing",
        "/usr/bin/podman.real": "missing",
    }


def small() -> dict[str, Entry]:
    """Return a system with one package, whose files have names that a shell would trip over; one is changed."""
    tree = images.debian()
    files = {f"/usr/lib/tool/{name}": name for name in NAMES}
    tree |= files
    tree[images.STATUS] = images.stanza("tool")
    sums = [f"{md5(name.encode())}  {path[1:]}\n" for path, name in files.items()]
    tree["/var/lib/dpkg/info/tool.md5sums"] = "".join(sums) + f"{md5(b'')}  usr/lib/tool/gone\n"
    tree["/usr/lib/tool/plain"] = "changed"
    return tree


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    root = disk_layouts.unpack(small(), tmp_path / "root")
    return disk_layouts.mbr(root, tmp_path / "disk.raw")


def test_every_engine_finds_the_same_and_the_appliance_adds_up_by_itself(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = files_of(str(disk), "direct")
    assert (found.files, [one.path for one in found.differing]) == (
        len(NAMES) + 1,
        ["/usr/lib/tool/gone", "/usr/lib/tool/plain"],
    )
    assert files_of(f"dir:{tmp_path / 'root'}", "directory") == found
    read = GuestfsEngine._read

    def refuse(engine: GuestfsEngine, path: str, offset: int, size: int) -> bytes:
        assert not path.startswith("/usr/lib/tool"), "it went through the protocol"
        return read(engine, path, offset, size)

    monkeypatch.setattr(GuestfsEngine, "_read", refuse)
    assert files_of(str(disk), "guestfs") == found


@pytest.fixture
def names(tmp_path: Path) -> dict[str, str]:
    """Make a file for every name; return path to digest."""
    folder = tmp_path / "names"
    folder.mkdir()
    found = {}
    for name in [*NAMES, "new\nline", "\udcff"]:
        Path(f"{folder}/{name}").write_bytes(os.fsencode(name))
        found[f"{folder}/{name}"] = md5(os.fsencode(name))
    return found


@pytest.fixture
def over_sftp(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what is read over SFTP."""
    asked: list[str] = []
    read = SshEngine._read

    def noted(engine: SshEngine, path: str, offset: int, size: int) -> bytes:
        asked.append(path)
        return read(engine, path, offset, size)

    monkeypatch.setattr(SshEngine, "_read", noted)
    return asked


def test_a_node_adds_up_by_itself(names: dict[str, str], over_sftp: list[str], tmp_path: Path) -> None:
    with serve(tmp_path / "sshd") as server, SshEngine(server.destination, server.options()) as engine:
        assert engine.digests(names, "md5") == names
    assert over_sftp == []


def test_a_node_without_a_shell_is_read(names: dict[str, str], over_sftp: list[str], tmp_path: Path) -> None:
    with (
        serve(tmp_path / "sshd", settings=f"ForceCommand {SFTP_SERVER}") as server,
        SshEngine(server.destination, server.options()) as engine,
    ):
        assert engine.digests(names, "md5") == names
    assert sorted(over_sftp) == sorted(names)
