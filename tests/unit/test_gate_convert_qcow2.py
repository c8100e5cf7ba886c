"""The packed qcow2 that we write, read by QEMU."""

import hashlib
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from airgap_image_factory.gate.qcow2 import CLUSTER, write_qcow2
from diskimage_validator.process import run

NOISE = hashlib.shake_256(b"noise").digest(8 * CLUSTER)
TEXT = b"packs well " * (CLUSTER // 11 + 1)
GIBIBYTE = 1024**3


def write(raw: Path, target: Path, *, version: int = 2, zstd: bool = False) -> list[float]:
    told: list[float] = []
    write_qcow2(raw, target, version=version, zstd=zstd, stop=lambda: None, progress=told.append)
    return told


def check(image: Path) -> dict[str, int]:
    """Return what qemu-img check counts. It also finds every cluster that is used more or less often than it says."""
    done = run(["qemu-img", "check", "--output=json", "-f", "qcow2", str(image)], timeout=60)
    assert done.status == 0, done.stdout
    counted: dict[str, int] = json.loads(done.stdout)
    return counted


def assert_same(raw: Path, image: Path) -> None:
    done = run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(raw), str(image)], timeout=60)
    assert done.status == 0, done.stdout
    said = run(["qemu-img", "info", "--output=json", "-f", "qcow2", str(image)], timeout=60)
    assert json.loads(said.stdout)["virtual-size"] == raw.stat().st_size


def sparse(path: Path, size: int, pieces: dict[int, bytes]) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
        for offset, data in pieces.items():
            file.seek(offset)
            file.write(data)
    return path


KINDS = [pytest.param(2, False, id="v2 zlib"), pytest.param(3, False, id="v3 zlib"), pytest.param(3, True, id="zstd")]


@pytest.mark.parametrize(("version", "zstd"), KINDS)
@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: sparse(path, CLUSTER, {}), id="nothing but a hole"),
        pytest.param(lambda path: sparse(path, CLUSTER, {0: bytes(CLUSTER)}), id="nothing but zeroes"),
        pytest.param(lambda path: sparse(path, 512, {0: b"x"}), id="one sector"),
        pytest.param(lambda path: sparse(path, 3 * CLUSTER + 512, {3 * CLUSTER: b"end"}), id="a piece of a cluster"),
        pytest.param(lambda path: sparse(path, 8 * CLUSTER, {0: NOISE}), id="what does not get smaller"),
        pytest.param(lambda path: sparse(path, 3 * GIBIBYTE, {0: TEXT, 2 * GIBIBYTE - 5: TEXT}), id="L2 tables"),
        pytest.param(lambda path: sparse(path, 40 * GIBIBYTE, {40 * GIBIBYTE - 3: b"end"}), id="a large hole"),
    ],
)
def test_qemu_reads_the_same(tmp_path: Path, make: Callable[[Path], Path], version: int, zstd: bool) -> None:
    raw = make(tmp_path / "disk.raw")
    write(raw, tmp_path / "node.qcow2", version=version, zstd=zstd)
    check(tmp_path / "node.qcow2")
    assert_same(raw, tmp_path / "node.qcow2")


@pytest.mark.parametrize(("version", "zstd"), KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_any_mixture(tmp_path: Path, seed: int, version: int, zstd: bool) -> None:
    """Clusters of every kind in any order, so that packed ones lie across clusters and around plain ones."""
    chance = random.Random(seed)
    kinds = (bytes(CLUSTER), TEXT[:CLUSTER], NOISE[:CLUSTER], NOISE[:30_000] + bytes(35_536))
    raw = tmp_path / "disk.raw"
    raw.write_bytes(b"".join(chance.choice(kinds) for _ in range(150)))
    told = write(raw, tmp_path / "node.qcow2", version=version, zstd=zstd)
    counted = check(tmp_path / "node.qcow2")
    assert_same(raw, tmp_path / "node.qcow2")
    content = raw.read_bytes()
    clusters = [content[at : at + CLUSTER] for at in range(0, len(content), CLUSTER)]
    assert counted["allocated-clusters"] == sum(cluster != bytes(CLUSTER) for cluster in clusters)
    assert counted["compressed-clusters"] == sum(cluster in kinds[1::2] for cluster in clusters)
    assert told == sorted(told)
    assert told[-1] <= 100


def test_many_packed_clusters_share_one(tmp_path: Path) -> None:
    """A cluster of one byte packs to 88 bytes: 700 of them lie in one."""
    raw = tmp_path / "disk.raw"
    raw.write_bytes(b"x" * (2000 * CLUSTER))
    write(raw, tmp_path / "node.qcow2")
    assert check(tmp_path / "node.qcow2")["compressed-clusters"] == 2000
    assert (tmp_path / "node.qcow2").stat().st_size <= 10 * CLUSTER
    assert_same(raw, tmp_path / "node.qcow2")


def test_it_is_about_as_small_as_qemu_img_makes_it(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    files = sorted(Path("/usr/bin").iterdir(), key=lambda path: path.name)
    raw.write_bytes(b"".join(path.read_bytes() for path in files if path.is_file())[: 20 * 1024 * 1024 // 512 * 512])
    write(raw, tmp_path / "ours.qcow2")
    command = ["qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", "-o", "compat=0.10"]
    assert run([*command, str(raw), str(tmp_path / "theirs.qcow2")], timeout=60).status == 0
    assert (tmp_path / "ours.qcow2").stat().st_size < (tmp_path / "theirs.qcow2").stat().st_size * 1.05


def test_zstd_in_version_2_is_refused(tmp_path: Path) -> None:
    raw = sparse(tmp_path / "disk.raw", CLUSTER, {})
    with pytest.raises(ValueError, match="version 3"):
        write(raw, tmp_path / "node.qcow2", version=2, zstd=True)
    assert not (tmp_path / "node.qcow2").exists()


def test_whoever_stops_it_is_heard_between_two_pieces(tmp_path: Path) -> None:
    raw = tmp_path / "disk.raw"
    raw.write_bytes(NOISE * 40)
    left = [3]

    def stop() -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_qcow2(raw, tmp_path / "x.qcow2", version=2, zstd=False, stop=stop, progress=lambda _: None)
