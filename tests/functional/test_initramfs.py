"""The initial RAM disk of the real images: generated once, packed with zstd, for the kernel that is there."""

import pytest
import zstandard

from diskimage_validator import open_target
from diskimage_validator.facts.boot import read_boot
from tests.functional.conftest import BuiltImage

GENERATED = "update-initramfs: Generating /boot/initrd.img-"
MOST = 1 << 28


def packed_part(initrd: bytes) -> bytes:
    """Return what follows the archive of files that are packed already, such as modules of Debian 13, if there is one.

    cpio archives, packed or not, follow each other, with zeros between: Documentation/driver-api/early-userspace.
    """
    return initrd.partition(b"TRAILER!!!")[2].lstrip(b"\0") if initrd.startswith(b"070701") else initrd


@pytest.mark.parametrize("image", ["node_image", "gpt_image"])
def test_it_is_generated_once_and_compressed_with_zstd(image: str, request: pytest.FixtureRequest) -> None:
    built: BuiltImage = request.getfixturevalue(image)
    log = (built.reports / "build.log").read_text(errors="replace")
    assert log.count("update-initramfs: put off to the end of the build") >= 2, "who asked?"
    assert log.count(GENERATED) == 1
    with open_target(str(built.path), engine="direct") as engine:
        (kernel,) = read_boot(engine).kernels
        assert kernel.initrd is not None
        assert packed_part(engine.read(kernel.initrd, limit=MOST)).startswith(zstandard.FRAME_HEADER)
        assert not engine.exists("/usr/sbin/update-initramfs.initramfs-once")
        assert "initramfs" not in engine.read("/var/lib/dpkg/diversions").decode()
        assert not engine.exists("/var/lib/initramfs-once")
