"""A private, throw-away overlay on an image, so that QEMU never guesses a format.

libguestfs has a read-only mode that makes such an overlay itself. QEMU then gets ``file.driver=qcow2`` without a format
for what lies above it, so it *probes the content of the disk* (seen with libguestfs 1.48 and QEMU 7.2). A guest that
wrote a qcow2 header with a backing file into its first sector would be served that file of the host. With an overlay of
our own, added under its explicit format, nothing is probed and the image is still never written to.
"""

from dataclasses import replace
from typing import Final

from diskimage_validator.errors import EngineError
from diskimage_validator.image_file import QEMU_LIMITS, QEMU_TIMEOUT, ImageFile
from diskimage_validator.process import run
from diskimage_validator.temporary import TemporaryFolder

FORMAT = "qcow2"
LIMITS: Final = replace(QEMU_LIMITS, file_size=64 << 20)
"""What qemu-img writes is an empty overlay: 2 MiB of tables for a disk of 128 TiB, its clusters being 64 KiB."""
GPT: Final = b"EFI PART"
"""What the header of a GPT begins with, in the second sector of the disk: UEFI specification, chapter 5.3."""
SECTORS: Final = (512, 4096)
"""Bytes of a sector, the usual size first."""
HEAD: Final = 9 * 512
"""Bytes that hold the header of a GPT, whatever the size of its sectors."""


class Overlay:
    """An empty qcow2 file on top of ``image``, in a folder of its own. ``close`` removes both."""

    def __init__(self, image: ImageFile, *, size: int = 0) -> None:
        """Make the overlay. ``size`` is that of its disk, in bytes, if it is to be larger than the image's.

        Raises EngineError if qemu-img cannot.
        """
        self._folder = TemporaryFolder()
        self.path = self._folder.path / "overlay.qcow2"
        # An absolute path, as examine returns it, cannot be taken for one of QEMU's protocols ("nbd:", "json:").
        command = ["qemu-img", "create", "-q", "-f", FORMAT, "-F", image.format, "-b", str(image.path), str(self.path)]
        if size > image.virtual_size:
            command.append(str(size))
        done = run(command, timeout=QEMU_TIMEOUT, limits=LIMITS, offline=True)
        if done.status != 0:
            self.close()
            raise EngineError(f"qemu-img create: {done.stderr.strip()}")

    def sector_size(self) -> int:
        """Return the size of sectors that the disk's GPT is made for, in bytes; 512 where there is none.

        Nothing in a qcow2 or raw file says it, and a kernel with sectors of another size sees no partitions.
        """
        content = self.head()
        return next((size for size in SECTORS if content[size : size + len(GPT)] == GPT), SECTORS[0])

    def head(self) -> bytes:
        """Return the first HEAD bytes of the disk. Raises EngineError if qemu-img cannot read them."""
        head = self.path.with_name("head")
        blocks = ["bs=512", f"count={HEAD // 512}"]
        # Nothing is probed: the overlay's format is stated, and in the overlay that of the image is.
        command = ["qemu-img", "dd", "-f", FORMAT, "-O", "raw", *blocks, f"if={self.path}", f"of={head}"]
        done = run(command, timeout=QEMU_TIMEOUT, limits=LIMITS, offline=True)
        if done.status != 0:
            raise EngineError(f"qemu-img dd: {done.stderr.strip()}")
        content = head.read_bytes()
        head.unlink()
        return content

    def close(self) -> None:
        """Remove the overlay. Calling it twice is harmless."""
        self._folder.close()
