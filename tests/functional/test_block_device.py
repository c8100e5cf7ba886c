"""Our block-device plugin on real loop devices, alone and in whole builds. Needs root; downloads nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from diskimage_builder import paths
from diskimage_builder.block_device.config import config_tree_to_graph
from diskimage_builder.block_device.level1.partitioning import Partitioning

from airgap_image_factory.block_device.devices import attached_loops, mount_points
from airgap_image_factory.block_device.sweep import sweep, unmount_below
from tests.support.waiting import wait_for

REPOSITORY = Path(__file__).parents[2]
ELEMENTS = [REPOSITORY / "elements", Path(__file__).parent / "elements"]
TOOLS = ["losetup", "partx", "findmnt", "setsid", "sgdisk", "sfdisk", "mkfs.ext4", "debugfs", "sudo", "unshare"]
MIB = 1024 * 1024
CLEANUP_TIMEOUT = 15.0
BUILD_TIMEOUT = 120.0  # until a build on a busy machine comes to where it is to be interrupted
"""Seconds that the guardian may take after the build's shell has died."""

# Two mount points and a logical partition, whose number (5) is not its place in the list.
MBR_LOGICAL = """
- local_loop: {name: image0}
- loop_partitioning:
    base: image0
    label: mbr
    partitions:
      - name: root
        flags: [boot, primary]
        size: 32MiB
        mkfs: {mount: {mount_point: /, fstab: {options: defaults}}}
      - name: var
        size: 50%
        mkfs: {type: ext4, mount: {mount_point: /var, fstab: {options: defaults}}}
      - name: spare
        size: 8MiB
"""
LAYOUTS = {
    "mbr": (ELEMENTS[0] / "block-device-loop-mbr/block-device-default.yaml").read_text(),
    "gpt": (ELEMENTS[0] / "block-device-loop-gpt/block-device-default.yaml").read_text(),
    "mbr-logical": MBR_LOGICAL,
}


@pytest.fixture(scope="module", autouse=True)
def _host() -> None:
    assert os.geteuid() == 0, "these tests attach loop devices: run them as root"
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    assert not missing, f"not on this host: {missing}; see bindep.txt"


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> Iterator[None]:
    """Whatever a failing test leaves is not the next test's trouble. What a test proves, it proves before."""
    yield
    sweep(tmp_path)


SLOW_SUDO = """#!/bin/bash
if [ "$1" = {command} ]; then
    {sudo} sh -c 'exec 9<"$0"; sleep 2' "${{@: -1}}"
fi
exec {sudo} "$@"
"""


def slow_down(command: str, folder: Path) -> dict[str, str]:
    """Environment in which DIB's ``sudo command`` takes two seconds longer.

    All that time it holds its last argument open (the partition, the mount point), as the real command does. sudo
    has a PATH of its own, so a slow command first on PATH would not be found; a sudo is.
    """
    sudo = folder / "sudo"
    sudo.write_text(SLOW_SUDO.format(sudo=shutil.which("sudo"), command=command))
    sudo.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


# dib-block-device alone


class BlockDevice:
    """DIB's own ``dib-block-device`` commands, called as disk-image-create calls them."""

    def __init__(self, folder: Path, layout: str) -> None:
        self.image = folder / "image0.raw"
        self.root = folder / "mnt"
        self.params = folder / "params.yaml"
        config = folder / "config.yaml"
        config.write_text(LAYOUTS.get(layout, layout))
        self.root.mkdir()
        self.params.write_text(
            yaml.safe_dump(
                {
                    "config": str(config),
                    "image-dir": str(folder),
                    "image-size": "100MiB",
                    "root-fs-type": "ext4",
                    "root-label": None,
                    "mount-base": str(self.root),
                    "build-dir": str(folder),
                }
            )
        )

    def line(self, *command: str) -> list[str]:
        script = Path(paths.get_path("lib")) / "dib-block-device.py"
        return [sys.executable, str(script), "--params", str(self.params), *command]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(self.line(*command), check=False, capture_output=True, text=True, timeout=60)
        assert not check or done.returncode == 0, done.stderr
        return done

    def interrupt(self, number: signal.Signals, during: str, command: str) -> int:
        """Send ``number`` to ``command`` alone while it runs ``sudo during``; return its exit status."""
        environment = os.environ | slow_down(during, self.params.parent)
        with subprocess.Popen(self.line(command), env=environment, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            assert any(f"[sudo {during}" in line for line in process.stderr)
            time.sleep(0.5)
            process.send_signal(number)
            process.communicate(timeout=60)
        return process.returncode

    def create(self) -> None:
        self.run("init")
        self.run("create")

    @property
    def device(self) -> str:
        return self.run("getval", "image-block-device").stdout.strip()


def table(image: Path) -> dict[str, Any]:
    """Partition table of ``image`` without what is random in it (disk and partition ids) or a path."""
    output = subprocess.run(["sfdisk", "--json", image], check=True, capture_output=True, text=True).stdout
    found: dict[str, Any] = json.loads(output)["partitiontable"]
    for key in ("id", "device"):
        found.pop(key)
    for number, partition in enumerate(found["partitions"]):
        partition.pop("uuid", None)
        partition["node"] = partition["node"].removeprefix(str(image))
        assert partition["node"], number
    return found


def upstream_table(layout: str, image: Path) -> dict[str, Any]:
    """Partition table that DIB's own ``partitioning`` node writes for the same layout."""
    graph = config_tree_to_graph(yaml.safe_load(LAYOUTS[layout].replace("loop_partitioning", "partitioning")))
    (config,) = (entry["partitioning"] for entry in graph if "partitioning" in entry)
    with image.open("wb") as file:
        file.truncate(100 * MIB)
    attach = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    node = Partitioning(config, {}, {"blockdev": {"image0": {"device": device, "image": str(image)}}})
    node.image_path, node.device_path, node.disk_size = str(image), device, 100 * MIB
    (node._create_mbr if config["label"] == "mbr" else node._create_gpt)()
    subprocess.run(["losetup", "--detach", device], check=True)
    return table(image)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_partition_table_is_upstreams(tmp_path: Path, layout: str) -> None:
    block = BlockDevice(tmp_path, layout)
    block.create()
    block.run("umount")
    assert table(block.image) == upstream_table(layout, tmp_path / "reference.raw")


@pytest.mark.parametrize(("layout", "number"), [("mbr", 1), ("gpt", 2)])
def test_files_end_up_in_the_image(tmp_path: Path, layout: str, number: int) -> None:
    block = BlockDevice(tmp_path, layout)
    block.create()
    (block.root / "greeting").write_text("hello")
    block.run("umount")
    start = table(block.image)["partitions"][number - 1]["start"] * 512
    read = ["debugfs", "-R", "cat /greeting", f"{block.image}?offset={start}"]
    assert subprocess.run(read, check=True, capture_output=True, text=True).stdout == "hello"


def test_devices_are_named_after_their_partition_number(tmp_path: Path) -> None:
    block = BlockDevice(tmp_path, "mbr-logical")
    block.create()
    loop = block.device
    devices = block.run("getval", "image-block-devices").stdout.split()
    assert devices == [f"[image0]={loop}", f"[root]={loop}p1", f"[var]={loop}p5", f"[spare]={loop}p6"]
    assert all(Path(device.partition("=")[2]).is_block_device() for device in devices)
    assert len(mount_points(loop)) == 2


def test_umount_leaves_the_image_and_no_device(tmp_path: Path) -> None:
    block = BlockDevice(tmp_path, "mbr-logical")
    block.create()
    device = block.device
    block.run("umount")
    block.run("cleanup")
    assert block.image.stat().st_size == 100 * MIB
    assert_clean(tmp_path)
    assert not list(Path("/dev").glob(f"{Path(device).name}p*"))


def test_failed_create_is_rolled_back(tmp_path: Path) -> None:
    # The second mkfs fails, when the first file system is mounted already: DIB itself has no rollback for a mount.
    block = BlockDevice(tmp_path, MBR_LOGICAL.replace("{type: ext4,", "{type: ext4, opts: '-b 17',"))
    block.run("init")
    assert block.run("create", check=False).returncode != 0
    assert_clean(tmp_path)
    assert not block.image.exists()


# The parent of these commands, which the guardian watches, is pytest: it takes no part in the two tests below.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_create_is_rolled_back(tmp_path: Path, number: signal.Signals) -> None:
    block = BlockDevice(tmp_path, "mbr")
    block.run("init")
    assert block.interrupt(number, "mkfs", "create") == 1
    assert attached_loops(tmp_path) == []
    assert not block.image.exists()
    assert_clean(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_umount_does_its_work_before_it_ends(tmp_path: Path, number: signal.Signals) -> None:
    block = BlockDevice(tmp_path, "mbr")
    block.create()
    assert block.interrupt(number, "fstrim", "umount") == -number
    assert attached_loops(tmp_path) == []
    assert_clean(tmp_path)


def test_second_umount_succeeds_and_spares_a_reused_loop_device(tmp_path: Path) -> None:
    block = BlockDevice(tmp_path, "mbr")
    block.create()
    device = block.device
    block.run("umount")
    other = tmp_path / "other.raw"
    other.write_bytes(bytes(MIB))
    subprocess.run(["losetup", device, other], check=True)
    block.run("umount")
    assert [loop.device for loop in attached_loops(other)] == [device]


def test_umount_finishes_what_another_began(tmp_path: Path) -> None:
    block = BlockDevice(tmp_path, "mbr-logical")
    block.create()
    subprocess.run(["umount", block.root / "var"], check=True)
    block.run("umount")
    assert_clean(tmp_path)


def test_device_nodes_are_made_and_removed_where_dev_is_no_devtmpfs(tmp_path: Path) -> None:
    # As in a container: a /dev of its own, with what was there when it began. Nothing leaves the mount namespace.
    block = BlockDevice(tmp_path, "mbr-logical")
    script = tmp_path / "in-container"
    script.write_text(
        f"""set -eu
        mkdir {tmp_path}/dev
        mount -t tmpfs tmpfs {tmp_path}/dev
        cp -a /dev/null /dev/zero /dev/urandom /dev/loop-control /dev/loop[0-9] {tmp_path}/dev
        mount --move {tmp_path}/dev /dev
        dib() {{ {sys.executable} {paths.get_path("lib")}/dib-block-device.py --params {block.params} "$@"; }}
        dib init; dib create
        stat --format %n:%F /dev/loop*p*
        dib umount
        echo left: /dev/loop*p*
        """
    )
    command = ["unshare", "--mount", "bash", str(script)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    *made, left = done.stdout.splitlines()
    assert [re.sub(r".*\dp", "", line) for line in made] == [f"{number}:block special file" for number in (1, 2, 5, 6)]
    assert left == "left: /dev/loop*p*"
    assert_clean(tmp_path)


def test_sweep_detaches_what_is_below_a_folder_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "build").mkdir()
    block = BlockDevice(tmp_path / "build", "gpt")
    block.create()
    device = block.device
    other = tmp_path / "other.raw"
    other.write_bytes(bytes(MIB))
    subprocess.run(["losetup", "--find", other], check=True)
    (swept,) = sweep(tmp_path / "build")
    assert (swept.loop.device, swept.loop.backing_file) == (device, block.image)
    assert swept.partitions == (f"{Path(device).name}p1", f"{Path(device).name}p2")
    assert swept.mount_points == (str(block.root),)
    assert_clean(tmp_path / "build")
    assert attached_loops(other)


def test_sweeps_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    block = BlockDevice(tmp_path, "mbr-logical")
    block.create()
    code = "from airgap_image_factory.block_device.sweep import *; import sys; sweep(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    sweeps = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in sweeps]
    assert [status for _, status in outcomes] == [0, 0, 0, 0], outcomes
    assert_clean(tmp_path)


@pytest.mark.parametrize("layout", ["mbr", "gpt"])
def test_partition_that_does_not_fit_is_refused(tmp_path: Path, layout: str) -> None:
    block = BlockDevice(tmp_path, LAYOUTS[layout].replace("100%", "200MiB"))
    block.run("init")
    done = block.run("create", check=False)
    assert re.search(rf"BlockDeviceSetupException: loop_partitioning: .* fit into {100 * MIB} bytes", done.stderr)
    assert_clean(tmp_path)


def test_sweep_finds_a_deleted_image_that_is_still_in_use(tmp_path: Path) -> None:
    block = BlockDevice(tmp_path, "mbr")
    block.create()
    block.image.unlink()
    with (block.root / "open").open("w"):  # so only a lazy unmount is possible
        with pytest.raises(Exception, match="still in use"):
            sweep(tmp_path)
        assert not [point for point in mount_points() if point.startswith(str(tmp_path))]
    assert wait_for(lambda: not attached_loops(tmp_path))


# Whole builds


@dataclass(frozen=True)
class Build:
    """A running ``disk-image-create`` in a session, and so a process group, of its own."""

    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def reaches(self, text: str) -> None:
        assert wait_for(lambda: text in self.log or self.process.poll() is not None, BUILD_TIMEOUT), self.log
        assert self.process.poll() is None, self.log

    def wait(self) -> int:
        try:
            return self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            pytest.fail(f"the build does not end:\n{self.log}")


@pytest.fixture
def start_build(tmp_path: Path) -> Callable[..., Build]:
    """Return a function that starts a build. ``slow`` names a command of dib-block-device that takes its time."""

    def start(element: str = "block-device-loop-mbr", *, slow: str = "", **variables: str) -> Build:
        for name in ("bin", "tmp"):
            (tmp_path / name).mkdir()
        environment = os.environ | (slow_down(slow, tmp_path / "bin") if slow else {})
        environment |= {
            "TMP_DIR": str(tmp_path / "tmp"),
            "ELEMENTS_PATH": ":".join(map(str, ELEMENTS)),
            "DIB_NO_TMPFS": "1",
            "DIB_IMAGE_CACHE": str(tmp_path / "cache"),
            "DIB_LOCKFILES": str(tmp_path / "locks"),
            "DIB_IMAGE_SIZE": "0.1",
            "DIB_JOURNAL_SIZE": "4",
            **variables,
        }
        program = str(Path(sys.executable).with_name("disk-image-create"))
        command = [program, "-n", "-t", "raw", "-o", str(tmp_path / "image"), "loop-test-root"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "loop-test-hook", element],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Build(process, tmp_path)

    return start


FINALISE = "loop-test-hook sleeps"
CREATE = "[sudo mkfs"
UMOUNT = "[sudo fstrim"


def leftovers(folder: Path) -> list[str]:
    """Loop devices, mounts and processes (by command line or working folder) that have to do with ``folder``."""
    left = [str(loop) for loop in attached_loops(folder)]
    left += [point for point in mount_points() if Path(point).is_relative_to(folder)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            places = [(process / "cwd").readlink(), (process / "root").readlink()]
        except OSError:  # it has ended
            continue
        mine = int(process.name) == os.getpid()
        if not mine and (str(folder) in line or any(place.is_relative_to(folder) for place in places)):
            left.append(f"{process.name}: {line}")
    return left


def assert_clean(folder: Path) -> None:
    wait_for(lambda: not leftovers(folder))
    assert leftovers(folder) == []


@pytest.mark.parametrize(("element", "label"), [("block-device-loop-mbr", "dos"), ("block-device-loop-gpt", "gpt")])
def test_build_makes_an_image_and_leaves_nothing(start_build: Callable[..., Build], element: str, label: str) -> None:
    build = start_build(element)
    assert build.wait() == 0, build.log
    assert_clean(build.folder)
    assert table(build.folder / "image.raw")["label"] == label
    assert list((build.folder / "tmp").iterdir()) == []


def test_failing_hook_leaves_nothing(start_build: Callable[..., Build]) -> None:
    build = start_build(LOOP_TEST_FINALISE="fail")
    assert build.wait() != 0
    assert "loop-test-hook was asked to fail" in build.log
    assert_clean(build.folder)
    assert list((build.folder / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("stage", "options"),
    [
        pytest.param(CREATE, {"slow": "mkfs"}, id="create"),
        pytest.param(FINALISE, {"LOOP_TEST_FINALISE": "sleep"}, id="finalise"),
        pytest.param(UMOUNT, {"slow": "fstrim"}, id="umount"),
    ],
)
@pytest.mark.parametrize(
    ("number", "send"),
    [
        pytest.param(signal.SIGINT, os.killpg, id="SIGINT-group"),
        pytest.param(signal.SIGTERM, os.killpg, id="SIGTERM-group"),
        pytest.param(signal.SIGTERM, os.kill, id="SIGTERM-shell"),
        pytest.param(signal.SIGKILL, os.kill, id="SIGKILL-shell"),
    ],
)
def test_interrupted_build_leaves_no_device_mount_or_process(
    start_build: Callable[..., Build],
    stage: str,
    options: dict[str, str],
    number: signal.Signals,
    send: Callable[[int, int], None],
) -> None:
    build = start_build(**options)
    build.reaches(stage)
    assert attached_loops(build.folder)
    send(build.process.pid, number)
    assert build.wait() != 0
    assert_clean(build.folder)


def test_sigterm_to_the_shell_alone_lets_dib_remove_its_folders(start_build: Callable[..., Build]) -> None:
    # The hook goes on at first, inside the file system that DIB wants to unmount.
    build = start_build(LOOP_TEST_FINALISE="sleep")
    build.reaches(FINALISE)
    os.kill(build.process.pid, signal.SIGTERM)
    build.wait()
    assert_clean(build.folder)
    assert list((build.folder / "tmp").iterdir()) == []


def test_element_refuses_another_architecture_before_anything_is_built(start_build: Callable[..., Build]) -> None:
    build = start_build(ARCH="arm64")
    assert build.wait() != 0
    assert "ERROR: block-device-loop-mbr is for x86 with a BIOS, not for arm64; use block-device-efi" in build.log
    assert "10-loop-test-root" not in build.log.partition("Running hooks from")[2]


def test_what_is_mounted_below_a_folder_is_unmounted_even_in_use_and_nothing_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "build/mnt", tmp_path / "other"
    for folder in (inside, outside):
        folder.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(folder)], check=True)
    try:
        (inside / "busy").write_text("")
        with (inside / "busy").open():
            unmount_below(tmp_path / "build")
        mounted = mount_points()
        assert str(inside) not in mounted
        assert str(outside) in mounted
    finally:
        subprocess.run(["umount", str(outside)], check=True)
