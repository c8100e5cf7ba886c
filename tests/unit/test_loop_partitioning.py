"""The block-device plugin without a block device: configuration, the order of its nodes, signals. Needs no root."""

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from diskimage_builder.block_device.config import config_tree_to_graph, create_graph
from diskimage_builder.block_device.exception import BlockDeviceSetupException

from airgap_image_factory.block_device import loop_partitioning, processes
from airgap_image_factory.block_device.guards import FirstNode, LastNode
from airgap_image_factory.block_device.loop_partitioning import LoopPartitioning

ELEMENTS = Path(__file__).parents[2] / "elements"
PARAMS = {"build-dir": "/build", "mount-base": "/build/mnt", "image-dir": "/image", "image-size": "1GiB"}


@pytest.fixture(autouse=True)
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that is all of PATH and holds the tools that the plugin looks for. They are not run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("losetup", "partx", "findmnt", "setsid", "sgdisk"):
        (folder / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(loop_partitioning, "SBIN", "")
    return folder


def config(**changes: Any) -> dict[str, Any]:
    partition = {"name": "root", "base": "image0", "size": "100%"}
    return {"name": "table", "base": "image0", "label": "gpt", "partitions": [partition]} | changes


def nodes_of(element: str) -> list[Any]:
    """Nodes of the element's configuration, in the order in which DIB creates them."""
    tree = yaml.safe_load((ELEMENTS / element / "block-device-default.yaml").read_text())
    graph = config_tree_to_graph(tree)
    for entry in graph:
        if "mkfs" in entry:  # DIB takes both from its parameter file
            entry["mkfs"] |= {"type": "ext4", "label": "root"}
    _, nodes = create_graph(graph, PARAMS, {})
    return list(nodes)


@pytest.mark.parametrize("element", ["block-device-loop-mbr", "block-device-loop-gpt"])
def test_our_nodes_are_around_all_others(element: str) -> None:
    nodes = nodes_of(element)
    assert isinstance(nodes[0], FirstNode)
    # What DIB writes into fstab needs nothing undone, so it may come after our last node.
    last = max(index for index, node in enumerate(nodes) if not node.name.startswith("fstab"))
    assert isinstance(nodes[last], LastNode)


def test_nodes_survive_the_pickle_between_create_and_umount() -> None:
    nodes = nodes_of("block-device-loop-gpt")
    loaded = pickle.loads(pickle.dumps(nodes))
    assert [node.name for node in loaded] == [node.name for node in nodes]
    # All of them still share one state and one plugin.
    assert len({id(node.state) for node in loaded}) == 1
    assert len({id(node.partitioning) for node in loaded if hasattr(node, "partitioning")}) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"partitions": []}, "'partitions' must be a list with at least one partition"),
        ({"partitions": None}, "'partitions' must be a list with at least one partition"),
        ({"partitions": {"name": "root"}}, "'partitions' must be a list with at least one partition"),
        ({"partitions": ["root"]}, "partition 1 is no mapping"),
        ({"partitions": [{"name": "root", "base": "image0"}]}, "partition 1 needs 'size'"),
        ({"partitions": [{"size": "1GiB", "base": "image0"}]}, "partition 1 needs 'name'"),
        ({"label": "dos"}, "Label must be 'mbr' or 'gpt'"),
    ],
)
def test_bad_configuration_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BlockDeviceSetupException, match=message):
        LoopPartitioning(config(**changes), PARAMS, {})


@pytest.mark.parametrize("key", ["base", "label", "partitions"])
def test_missing_option_is_named(key: str) -> None:
    options = config()
    del options[key]
    with pytest.raises(BlockDeviceSetupException, match=key):
        LoopPartitioning(options, PARAMS, {})


@pytest.mark.parametrize(("tool", "package"), [("partx", "util-linux"), ("sgdisk", "gdisk")])
def test_missing_tool_is_named_with_its_package(tools: Path, tool: str, package: str) -> None:
    (tools / tool).unlink()
    with pytest.raises(BlockDeviceSetupException, match=rf"not on this host: {tool} \(package {package}\)"):
        LoopPartitioning(config(), PARAMS, {})


def test_mbr_needs_no_sgdisk(tools: Path) -> None:
    (tools / "sgdisk").unlink()
    assert LoopPartitioning(config(label="mbr"), PARAMS, {}).label == "mbr"


def test_base_that_is_no_loop_device_is_refused() -> None:
    plugin = LoopPartitioning(config(), PARAMS, {"blockdev": {"image0": {"device": "/dev/vg/volume"}}})
    with pytest.raises(BlockDeviceSetupException, match="base image0 is no local_loop: /dev/vg/volume"):
        plugin.create()


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    code = f"import os, signal\nfrom airgap_image_factory.block_device.signals import *\n{code}"
    return subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=30)


def test_held_signal_ends_the_process_when_it_is_done() -> None:
    done = run_python("hold_signals(); os.kill(os.getpid(), signal.SIGTERM); print('done')")
    assert (done.stdout, done.returncode) == ("done\n", -signal.SIGTERM)


def test_signal_becomes_the_exception_that_dib_rolls_back() -> None:
    # A shell that starts the tests in the background has SIGINT ignored.
    restore = "signal.signal(signal.SIGINT, signal.default_int_handler)"
    done = run_python(f"{restore}; raise_on_signals(); os.kill(os.getpid(), signal.SIGINT)")
    assert done.stderr.rstrip().endswith("BlockDeviceSetupException: interrupted by SIGINT")


def test_signal_that_nohup_ignores_stays_ignored() -> None:
    code = "signal.signal(signal.SIGHUP, signal.SIG_IGN); raise_on_signals(); hold_signals()"
    done = run_python(f"{code}; os.kill(os.getpid(), signal.SIGHUP); print('done')")
    assert (done.stdout, done.returncode) == ("done\n", 0)


def test_descendants_are_found_through_generations() -> None:
    code = "/bin/sh -c '/bin/sleep 30 & echo $!; wait'; true"
    with subprocess.Popen(["/bin/sh", "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True) as shell:
        assert shell.stdout is not None
        grandchild = int(shell.stdout.readline())
        found = processes.descendants(shell.pid)
        os.killpg(shell.pid, signal.SIGKILL)
    assert len(found) == 2
    assert found[1] == grandchild
    assert shell.pid not in found
