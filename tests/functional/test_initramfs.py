"""The initial RAM disk of the real images: generated once, packed with zstd, for the kernel that is there."""

import pytest
import zstandard

from diskimage_validator import open_target
from diskimage_validator.facts.boot import read_boot
from tests.functional.conftest import BuiltImage

GENERATED = "update-initramfs: Generating /boot/initrd.img-"
ZSTD = zstandard.FRAME_HEADER


@pytest.mark.parametrize("image", ["node_image", "gpt_image"])
def test_it_is_generated_once_and_compressed_with_zstd(image: str, request: pytest.FixtureRequest) -> None:
    built: BuiltImage = request.getfixturevalue(image)
    log = (built.reports / "build.log").read_text(errors="replace")
    assert log.count("update-initramfs: put off to the end of the build") >= 2, "who asked?"
    assert log.count(GENERATED) == 1
    with open_target(str(built.path), engine="direct") as engine:
        (kernel,) = read_boot(engine).kernels
        assert kernel.initrd is not None
        assert engine.read(kernel.initrd, limit=len(ZSTD), whole=False) == ZSTD
        assert not engine.exists("/usr/sbin/update-initramfs.initramfs-once")
        assert "initramfs" not in engine.read("/var/lib/dpkg/diversions").decode()
        assert not engine.exists("/var/lib/initramfs-once")
