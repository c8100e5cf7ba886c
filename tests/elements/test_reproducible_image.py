"""reproducible-image: what makes two builds differ is refused, settled or taken away. Two real builds are the proof."""

import json
import os
import py_compile
import runpy
import stat
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.comparison.trees import compare
from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot
from tests.support.snapshot_folder import snapshot_folder

ELEMENT = "reproducible-image"
EPOCH = 1_700_000_000
CHECK = "root.d/00-reproducible-image-check"
LAYOUT = "block-device.d/50-reproducible-image-layout"
GENERATED = "finalise.d/97-reproducible-image-generated"
LAST = "cleanup.d/99-zz-reproducible-image"
ENV = {"SOURCE_DATE_EPOCH": str(EPOCH), "DISTRO_NAME": "debian", "DIB_MANIFEST_IMAGE_DIR": "/etc/dib-manifests"}


@pytest.fixture
def root(fake_root: MakeRoot) -> FakeRoot:
    return fake_root(ELEMENT)


class TestCheck:
    def test_a_date_in_the_past_is_accepted(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, ENV)
        assert run.ok, run.output
        assert run.output == ""

    @pytest.mark.parametrize("epoch", ["", "yesterday", "2026-11-22", "17000", "1700000000.5", "-1700000000", "0"])
    def test_what_is_no_date_is_refused_with_a_hint(self, root: FakeRoot, epoch: str) -> None:
        run = root.run_outside(CHECK, ENV | {"SOURCE_DATE_EPOCH": epoch})
        assert run.status == 1
        assert run.output.startswith(f"ERROR: reproducible-image: SOURCE_DATE_EPOCH is '{epoch}'")
        assert "git log -1 --format=%ct" in run.output

    def test_a_future_date_is_refused(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, ENV | {"SOURCE_DATE_EPOCH": str(int(time.time()) + 3600)})
        assert run.status == 1
        assert "is in the future" in run.output

    def test_a_file_system_for_logs_is_refused(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, ENV | {"DIB_MOUNTPOINTS": "/|/var/log"})
        assert run.status == 1
        assert "/var/log must not be a file system of its own" in run.output


MBR: list[dict[str, Any]] = [
    {"local_loop": {"name": "image0"}},
    {
        "loop_partitioning": {
            "base": "image0",
            "partitions": [{"name": "root", "mkfs": {"mount": {"mount_point": "/"}}}],
        }
    },
]


class TestLayout:
    def settle(self, root: FakeRoot, config: list[dict[str, Any]], **env: str) -> list[dict[str, Any]]:
        file = root.base / "block-device/config.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(config))
        (root.base / "built").mkdir(exist_ok=True)
        run = root.run_outside(LAYOUT, ENV | env)
        assert run.ok, run.output
        settled: list[dict[str, Any]] = yaml.safe_load(file.read_text())
        return settled

    def uuid(self, config: list[dict[str, Any]]) -> str:
        return str(config[1]["loop_partitioning"]["partitions"][0]["mkfs"]["uuid"])

    def test_equal_inputs_give_equal_uuids(self, fake_root: MakeRoot) -> None:
        one, other = self.settle(fake_root(ELEMENT), MBR), self.settle(fake_root(ELEMENT), MBR)
        assert one == other
        assert self.uuid(one)

    @pytest.mark.parametrize("change", [{"SOURCE_DATE_EPOCH": "1700000001"}, {"DIB_RELEASE": "trixie"}])
    def test_other_inputs_give_other_uuids(self, root: FakeRoot, change: dict[str, str]) -> None:
        assert self.uuid(self.settle(root, MBR)) != self.uuid(self.settle(root, MBR, **change))

    def test_the_order_of_elements_does_not_matter(self, root: FakeRoot) -> None:
        one, other = (self.settle(root, MBR, IMAGE_ELEMENT=names) for names in ("vm base", "base vm "))
        assert one == other

    def test_every_file_system_gets_its_own_uuid(self, root: FakeRoot) -> None:
        config = [{"local_loop": {"name": "image0"}}, {"mkfs": {"name": "a"}}, {"mkfs": {"name": "b"}}]
        settled = self.settle(root, config)
        assert len({settled[1]["mkfs"]["uuid"], settled[2]["mkfs"]["uuid"]}) == 2

    def test_what_the_configuration_states_stays(self, root: FakeRoot) -> None:
        config = [{"local_loop": {"size": "9GiB"}}, {"mkfs": {"name": "a", "uuid": "stated"}}]
        assert self.settle(root, config) == config

    def test_fat_is_made_without_date_and_chance(self, root: FakeRoot) -> None:
        config = [{"local_loop": {"name": "image0"}}, {"mkfs": {"type": "vfat", "opts": "-F 32"}}]
        assert self.settle(root, config)[1]["mkfs"]["opts"] == "-F 32 --invariant"

    def test_logs_and_caches_do_not_count_for_the_size(self, root: FakeRoot) -> None:
        for name in ("usr", "var/log", "var/cache"):
            (root.base / "built" / name).mkdir(parents=True)
        (root.base / "built/usr/program").write_bytes(b"x" * 40_000_000)
        before = self.settle(root, MBR)[0]["local_loop"]["size"]
        for name in ("var/log/term.log", "var/cache/x"):
            (root.base / "built" / name).write_bytes(b"x" * 200_000_000)
        assert self.settle(root, MBR)[0]["local_loop"]["size"] == before == f"{128 * 1024}KiB"

    def test_a_margin_that_is_asked_for_counts(self, root: FakeRoot) -> None:
        assert self.settle(root, MBR, DIB_IMAGE_EXTRA_SIZE="512")[0]["local_loop"]["size"] == f"{832 * 1024}KiB"

    def test_a_size_that_was_given_is_left_to_dib(self, root: FakeRoot) -> None:
        run = root.run_outside(CHECK, ENV | {"DIB_IMAGE_SIZE": "5"})
        assert run.ok, run.output
        assert "size" not in self.settle(root, MBR)[0]["local_loop"]


class TestGenerated:
    def test_password_dates_are_clamped_and_nothing_else_changes(self, root: FakeRoot) -> None:
        day = EPOCH // 86400
        root.write("/etc/shadow", f"a:*:{day + 900}:0:99999:7:::\nb:!:{day - 1}::::::\nc:!:::::::\n", 0o640)
        root.stand_in("update-initramfs", "true")
        run = root.run_twice(GENERATED, ENV)
        assert root.read("/etc/shadow") == f"a:*:{day}:0:99999:7:::\nb:!:{day - 1}::::::\nc:!:::::::\n"
        assert root.mode("/etc/shadow") == 0o640
        assert run.output == ""

    def test_initrds_are_made_anew_on_debian(self, root: FakeRoot) -> None:
        root.stand_in("update-initramfs", 'echo "$* $SOURCE_DATE_EPOCH" > /tmp/called')
        run = root.run_inside(GENERATED, ENV)
        assert run.ok, run.output
        assert root.read("/tmp/called") == f"-u -k all {EPOCH}\n"

    @pytest.mark.parametrize("family", ["redhat", "suse"])
    def test_initrds_are_made_anew_with_dracut(self, fake_root: MakeRoot, family: str) -> None:
        root = fake_root(ELEMENT, family)
        root.hide("/usr/sbin/update-initramfs")
        root.stand_in("dracut", 'echo "$* $SOURCE_DATE_EPOCH" > /tmp/called')
        run = root.run_inside(GENERATED, ENV)
        assert run.ok, run.output
        assert root.read("/tmp/called") == f"--force --regenerate-all --reproducible {EPOCH}\n"

    def test_debian_nodes_make_their_iscsi_name(self, root: FakeRoot) -> None:
        root.stand_in("update-initramfs", "true")
        root.write("/etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1993-08.org.debian:01:b4\n", 0o600)
        root.write("/usr/lib/open-iscsi/startup-checks.sh", 'grep -q "^GenerateName=yes" $NAMEFILE\n', 0o755)
        assert root.run_inside(GENERATED, ENV).ok
        assert root.read("/etc/iscsi/initiatorname.iscsi") == "GenerateName=yes\n"
        assert root.mode("/etc/iscsi/initiatorname.iscsi") == 0o600

    def test_other_nodes_make_the_iscsi_name_that_is_missing(self, fake_root: MakeRoot) -> None:
        root = fake_root(ELEMENT, "redhat")
        root.stand_in("update-initramfs", "true")
        root.write("/etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.1994-05.com.redhat:b4\n")
        assert root.run_inside(GENERATED, ENV).ok
        assert not root.exists("/etc/iscsi/initiatorname.iscsi")


class TestLast:
    def finish(self, root: FakeRoot, **env: str) -> None:
        run = root.run_outside(LAST, ENV | env)
        assert run.ok, run.output

    def test_no_date_is_later_than_the_epoch_and_earlier_ones_stay(self, root: FakeRoot) -> None:
        old = root.write("/opt/old", "")
        os.utime(old, (EPOCH + 5, EPOCH - 5))
        root.write("/opt/new", "")
        (root.path / "opt/link").symlink_to("/etc/passwd")
        (root.path / "opt/folder-link").symlink_to("/etc")
        self.finish(root)
        paths = root.path.rglob("*")
        dates = {str(path): path.lstat().st_mtime_ns for path in [root.path, *paths]}
        assert len(dates) > 40
        assert {path for path, date in dates.items() if date > EPOCH * 10**9} == set()
        assert old.stat().st_mtime == EPOCH - 5

    def test_files_of_the_host_are_not_touched(self, root: FakeRoot, tmp_path: Path) -> None:
        outside = tmp_path / "host-file"
        outside.write_text("host")
        before = outside.stat()
        (root.path / "opt/link").symlink_to(outside)
        (root.path / "var/log/link").symlink_to(outside)
        self.finish(root)
        assert outside.read_text() == "host"
        assert outside.stat().st_mtime_ns == before.st_mtime_ns

    def test_compiled_python_stays_valid(self, root: FakeRoot) -> None:
        source = root.write("/opt/module.py", "VALUE = 1\n")
        compiled = py_compile.compile(str(source), doraise=True)
        self.finish(root)
        assert compiled is not None
        _, flags, date, size = struct.unpack("<4sIII", Path(compiled).read_bytes()[:16])
        assert (flags, date, size) == (0, EPOCH, 10)
        assert source.stat().st_mtime == date

    def test_compiled_python_that_is_checked_by_content_is_not_changed(self, root: FakeRoot) -> None:
        source = root.write("/opt/module.py", "VALUE = 1\n")
        mode = py_compile.PycInvalidationMode.CHECKED_HASH
        compiled = Path(str(py_compile.compile(str(source), invalidation_mode=mode)))
        before = compiled.read_bytes()
        self.finish(root)
        assert compiled.read_bytes() == before

    def test_a_damaged_compiled_file_does_not_end_the_build(self, root: FakeRoot) -> None:
        root.write("/opt/short.pyc", b"\x00")
        self.finish(root)
        assert root.read("/opt/short.pyc") == "\x00"

    @pytest.mark.parametrize(
        "path",
        [
            "/etc/shadow-", "/var/lib/dpkg/status-old", "/var/cache/ldconfig/aux-cache", "/tmp/.hidden",
            "/var/lib/systemd/random-seed", "/var/lib/apt/lists/x", "/run/blkid/blkid.tab", "/root/x.log",
        ],
    )  # fmt: skip
    def test_leftovers_are_removed(self, root: FakeRoot, path: str) -> None:
        root.write(path, "x")
        self.finish(root)
        assert not root.exists(path)

    def test_logs_are_emptied(self, root: FakeRoot) -> None:
        root.write("/var/log/apt/term.log", "2026", 0o640)
        self.finish(root)
        assert root.read("/var/log/apt/term.log") == ""
        assert root.mode("/var/log/apt/term.log") == 0o640

    def test_manifests_lose_what_names_the_build(self, root: FakeRoot) -> None:
        for name in ("dib_environment", "dib_arguments", "dib-manifest-dpkg-node-7", "other"):
            root.write(f"/etc/dib-manifests/{name}", name)
        self.finish(root)
        assert {path.name for path in (root.path / "etc/dib-manifests").iterdir()} == {"dib-manifest-dpkg", "other"}

    def test_resolv_conf_is_the_one_that_dib_saved(self, root: FakeRoot) -> None:
        root.write("/etc/resolv.conf", "of the build host")
        root.write("/etc/resolv.conf.ORIG", "of the image")
        self.finish(root)
        assert root.read("/etc/resolv.conf") == "of the image"
        assert not root.exists("/etc/resolv.conf.ORIG")

    def test_resolv_conf_of_the_build_host_goes_without_one(self, root: FakeRoot) -> None:
        root.write("/etc/resolv.conf", "of the build host")
        self.finish(root)
        assert not root.exists("/etc/resolv.conf")

    def test_a_link_at_resolv_conf_stays(self, root: FakeRoot) -> None:
        (root.path / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
        self.finish(root)
        assert str((root.path / "etc/resolv.conf").readlink()) == "../run/systemd/resolve/stub-resolv.conf"

    def test_what_dib_writes_afterwards_goes_into_overlays(self, root: FakeRoot) -> None:
        run = root.run_outside(LAST, ENV)
        assert run.left_mounted == (f"{root.path}/etc", f"{root.path}/var/log")

    def test_ssh_host_keys_are_refused(self, root: FakeRoot) -> None:
        root.write("/etc/ssh/ssh_host_ed25519_key", "x")
        run = root.run_outside(LAST, ENV)
        assert run.status == 1
        assert "ERROR: reproducible-image: the image has SSH host keys" in run.output


class TestRepack:
    """The program that makes the file system anew, on a small disk of its own."""

    def disk(self, folder: Path, names: list[str]) -> str:
        """Return a loop device with an ext4 whose files were written in this order, mounted at ``folder/root``."""
        image = folder / "disk.raw"
        image.touch()
        os.truncate(image, 64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        root = folder / "root"
        root.mkdir()
        attach = ["losetup", "--find", "--show", str(image)]
        device: str = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["mount", "-o", "noatime", device, root], check=True)
        for name in names:
            (root / name).write_text(name)
            os.chown(root / name, 12, 34)
            os.setxattr(root / name, "user.note", b"kept")
            os.utime(root / name, (EPOCH, EPOCH))
        self.make_oddities(root)
        for path in [*root.rglob("*"), root]:
            os.utime(path, (EPOCH, EPOCH), follow_symlinks=False)
        return device

    def make_oddities(self, root: Path) -> None:
        """Make what a root file system may hold besides plain files."""
        (root / "short-link").symlink_to("a")
        (root / "long-link").symlink_to("x" * 200)
        (root / "folder").mkdir(mode=0o1777)
        (root / "folder/second-name-of-a").hardlink_to(root / "a")
        (root / "folder/na\u00efve").touch()
        (root / "program").write_bytes(b"x" * 3_000_000)
        (root / "program").chmod(0o4755)
        os.setxattr(root / "program", "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
        (root / "sparse").touch()
        os.truncate(root / "sparse", 10_000_000)
        os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mkfifo(root / "pipe")
        acl = ["setfacl", "--modify", "user:7:r--,default:group:8:r-x", str(root / "folder")]
        subprocess.run(acl, check=True)

    def repacked(self, folder: Path, names: list[str], repack: Path) -> bytes:
        folder.mkdir()
        device = self.disk(folder, names)
        root = folder / "root"
        try:
            filesystem = {"uuid": "11111111-1111-4111-8111-111111111111", "label": "root", "fstype": "ext4"}
            state = {"filesys": {"mkfs_root": {**filesystem, "opts": ["-i", "4096"], "device": device}}}
            state["blockdev"] = {"image0": {"device": device, "image": "disk.raw"}}
            (folder / "state.json").write_text(json.dumps(state))
            command = ["python3", str(repack), str(folder / "state.json"), str(root), "seed", str(EPOCH)]
            before = snapshot_folder(root)
            subprocess.run(command, check=True)
            assert compare(before, snapshot_folder(root)) == []
            assert {path.lstat().st_ctime for path in root.rglob("*")} == {EPOCH}
            assert root.joinpath("sparse").stat().st_blocks == 0
        finally:
            subprocess.run(["umount", root], check=False)
            subprocess.run(["losetup", "--detach", device], check=True)
        return (folder / "disk.raw").read_bytes()

    def test_equal_content_gives_equal_bytes_whatever_its_history(self, root: FakeRoot, tmp_path: Path) -> None:
        repack = root.hooks / "reproducible-image/repack.py"
        names = ["a", "b", "c", *(f"file-{number}" for number in range(400))]
        one = self.repacked(tmp_path / "one", names, repack)
        time.sleep(1.1)
        other = self.repacked(tmp_path / "other", names[::-1], repack)
        assert one == other

    def test_a_disk_with_other_file_systems_is_left_alone(self, root: FakeRoot, tmp_path: Path) -> None:
        state = tmp_path / "state.json"
        state.write_text('{"filesys": {"a": {"fstype": "xfs"}}, "blockdev": {}}')
        repack = root.hooks / "reproducible-image/repack.py"
        done = subprocess.run(
            ["python3", repack, state, tmp_path, "seed", "1"], check=True, capture_output=True, text=True
        )
        assert "not one ext4" in done.stdout

    @pytest.mark.parametrize("kind", ["gpt", "dos"])
    def test_a_disk_and_its_partitions_get_the_identity_of_the_inputs(
        self, root: FakeRoot, tmp_path: Path, kind: str
    ) -> None:
        name_disk = runpy.run_path(str(root.hooks / "reproducible-image/repack.py"))["name_disk"]
        contents = []
        for name in ("one", "other"):
            image = tmp_path / name
            image.touch()
            os.truncate(image, 16 << 20)
            script = f"label: {kind}\nsize=4M\nsize=4M\n"
            subprocess.run(["sfdisk", "--quiet", str(image)], input=script, text=True, check=True)
            name_disk(str(image), "seed")
            contents.append(image.read_bytes())
            listing = subprocess.run(["sfdisk", "--json", str(image)], check=True, capture_output=True, text=True)
            assert len(json.loads(listing.stdout)["partitiontable"]["partitions"]) == 2
        assert contents[0] == contents[1]
