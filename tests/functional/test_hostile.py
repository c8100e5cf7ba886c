"""An image is the attacker's: whatever is in it, a report or one clear line comes soon, with nothing of the host in it.

One disk holds as many traps as fit beside each other; the copies of the real image are cut off and have bits turned.
"""

import json
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.image_file import examine
from tests.functional.conftest import BuiltImage

MIB = 1024 * 1024
SECRET = "a-secret-of-the-host"
TIME_LIMIT = 240
MEMORY_LIMIT = 4 << 30
FLIPS = 60


def run_validator(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does, with a limit on time and on the address space of Python itself."""
    command = [sys.executable, "-m", "diskimage_validator", *map(str, arguments)]
    return subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT)),
    )


def assert_is_told_in_words(done: subprocess.CompletedProcess[str]) -> None:
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr
    assert (done.stdout + done.stderr).replace("\n", "").isprintable()
    assert SECRET not in done.stdout + done.stderr


def sparse(path: Path, size: int, head: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head)
    os.truncate(path, size)


def hostile_root(root: Path, secret: Path) -> None:
    """Lay out a root file system full of traps. Links to ``secret`` try to reach a file of the host."""
    for name in (
        "usr/lib",
        "usr/bin",
        "usr/sbin",
        "etc/ssl/certs",
        "etc/ssh",
        "etc/apt/sources.list.d",
        "var/lib/dpkg",
        "root",
        "boot",
    ):
        (root / name).mkdir(parents=True)
    (root / "usr/lib/os-release").write_text('ID=debian\nVERSION_ID="12"\nPRETTY_NAME="\x1b[2J\u202e$(id)"\n')
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")
    sparse(root / "etc/ssl/certs/ca-certificates.crt", 10 << 30, b"-----BEGIN CERTIFICATE-----\n")
    (root / "var/lib/dpkg/status").symlink_to("status-old")
    (root / "var/lib/dpkg/status-old").symlink_to("status")
    for name in (
        "etc/passwd",
        "etc/shadow",
        "etc/sudoers",
        "etc/ssh/sshd_config",
        "etc/apt/sources.list",
        "root/.netrc",
    ):
        (root / name).symlink_to(f"../../../../../../../..{secret}")
    (root / "etc/fstab").symlink_to(secret)
    os.mkfifo(root / "etc/hosts")
    os.mknod(root / "usr/bin/podman", 0o20755, os.makedev(1, 3))
    os.mknod(root / "usr/bin/skopeo", 0o60755, os.makedev(8, 0))
    (root / "usr/bin/jq").write_bytes(b"\x7fELF\x02\x01\x01" + b"\xff" * 200)
    (root / "usr/bin/jq").chmod(0o6777)
    (root / "usr/bin/buildah").write_bytes(b"#!" + b"/" * 4000)
    (root / "usr/bin/buildah").chmod(0o755)
    Path(os.fsdecode(os.fsencode(root / "etc/ssl/certs") + b"/\xff\xfe.pem")).write_text("x")
    (root / "etc/apt/sources.list.d/\x1b]0;owned\x07\n.list").write_text("deb [trusted=yes\x00 http://\u202e\n" * 1000)
    deep = root / "root"
    for _ in range(40):
        deep = deep / ("d" * 60)
        deep.mkdir()
    many = root / "etc/ssl/many"
    many.mkdir()
    for number in range(20_000):
        (many / f"{number}.pem").touch()


@pytest.fixture(scope="module")
def hostile_disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    secret = folder / "secret"
    secret.write_text(f"{SECRET}:x:0:0::/root:/bin/sh\n")
    root = folder / "root"
    root.mkdir()
    hostile_root(root, secret)
    image = folder / "hostile.raw"
    command = ["mke2fs", "-q", "-t", "ext4", "-N", "40000", "-d", str(root), str(image), "16G"]
    subprocess.run(command, check=True, timeout=120)
    packed = folder / "hostile.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(image), str(packed)], check=True)
    image.unlink()
    return packed


def test_a_disk_full_of_traps_ends_in_a_report(hostile_disk: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    done = run_validator(
        "validate", hostile_disk, "--policy", "container-node", "--report", f"json={output}", "--quiet", folder=tmp_path
    )
    assert_is_told_in_words(done)
    assert done.returncode == 3, done.stderr
    report = json.loads(output.read_text())
    assert SECRET not in output.read_text()
    assert not any("this is a bug" in result["hint"] for result in report["results"]), [
        result["message"] for result in report["results"] if "this is a bug" in result["hint"]
    ]
    assert report["summary"]["error"] >= 2, "the endless bundle and the package database that is a loop cannot be told"


def test_a_person_who_inspects_it_sees_a_page(hostile_disk: Path, tmp_path: Path) -> None:
    done = run_validator("inspect", hostile_disk, "--quiet", folder=tmp_path)
    assert_is_told_in_words(done)
    assert done.returncode == 0
    assert "debian 12" in done.stdout


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_truncated_image(share: float, node_image: BuiltImage, tmp_path: Path) -> None:
    cut = tmp_path / "cut.qcow2"
    with node_image.path.open("rb") as source:
        cut.write_bytes(source.read(int(node_image.path.stat().st_size * share)))
    done = run_validator("validate", cut, "--policy", "minimal", "--quiet", folder=tmp_path)
    assert_is_told_in_words(done)
    assert done.returncode == 3
    assert done.stderr.startswith("error: ")


def is_refused(image: Path) -> bool:
    """Whether the pre-flight refuses the image, in one line; anything else that it raises is a failure."""
    try:
        examine(image)
    except ValidatorError as error:
        message = error.message
    else:
        return False
    assert "\n" not in message
    return True


def test_turned_bits_in_the_metadata_are_refused_or_harmless(node_image: BuiltImage, tmp_path: Path) -> None:
    with node_image.path.open("rb") as source:
        head = source.read(MIB)
    chance = random.Random(4)
    copy = tmp_path / "flipped.qcow2"
    subprocess.run(["cp", "--reflink=auto", str(node_image.path), str(copy)], check=True)
    refused = 0
    for _ in range(FLIPS):
        position = chance.choice([chance.randrange(0, 104), chance.randrange(104, MIB)])
        with copy.open("r+b") as file:
            file.seek(position)
            file.write(bytes([head[position] ^ (1 << chance.randrange(8))]))
        refused += is_refused(copy)
        with copy.open("r+b") as file:
            file.seek(position)
            file.write(head[position : position + 1])
    assert 0 < refused < FLIPS, "some hit the header, some an unused byte"
    assert examine(copy).sha256 == examine(node_image.path).sha256, "every bit was turned back"


def test_an_image_whose_content_was_scrambled(node_image: BuiltImage, tmp_path: Path) -> None:
    # The container is sound, the file system in it is not: a 16th of the disk is zeros, metadata included.
    raw = tmp_path / "scrambled.raw"
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", str(node_image.path), str(raw)], check=True)
    with raw.open("r+b") as file:
        for position in range(4 * MIB, raw.stat().st_size, 65536):
            file.seek(position)
            file.write(bytes(4096))
    done = run_validator("validate", raw, "--policy", "container-node", "--quiet", folder=tmp_path)
    assert_is_told_in_words(done)
    assert done.returncode in (1, 3)
