"""A private, throw-away overlay on an image, so that QEMU never guesses a format.

libguestfs has a read-only mode that makes such an overlay itself. QEMU then gets ``file.driver=qcow2`` without a format
for what lies above it, so it *probes the content of the disk* (seen with libguestfs 1.48 and QEMU 7.2). A guest that
wrote a qcow2 header with a backing file into its first sector would be served that file of the host. With an overlay of
our own, added under its explicit format, nothing is probed and the image is still never written to.
"""

import tempfile
from pathlib import Path

from diskimage_validator.errors import EngineError
from diskimage_validator.image_file import QEMU_LIMITS, QEMU_TIMEOUT, ImageFile
from diskimage_validator.process import run

FORMAT = "qcow2"


class Overlay:
    """An empty qcow2 file on top of ``image``, in a folder of its own. ``close`` removes both."""

    def __init__(self, image: ImageFile, *, size: int = 0) -> None:
        """Make the overlay. ``size`` is that of its disk, in bytes, if it is to be larger than the image's.

        Raises EngineError if qemu-img cannot.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="diskimage-validator-")
        self.path = Path(self._folder.name) / "overlay.qcow2"
        # An absolute path, as examine returns it, cannot be taken for one of QEMU's protocols ("nbd:", "json:").
        command = ["qemu-img", "create", "-q", "-f", FORMAT, "-F", image.format, "-b", str(image.path), str(self.path)]
        if size > image.virtual_size:
            command.append(str(size))
        done = run(command, timeout=QEMU_TIMEOUT, limits=QEMU_LIMITS)
        if done.status != 0:
            self.close()
            raise EngineError(f"qemu-img create: {done.stderr.strip()}")

    def close(self) -> None:
        """Remove the overlay. Calling it twice is harmless."""
        self._folder.cleanup()
