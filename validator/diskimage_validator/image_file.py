"""Pre-flight of an image file: nothing reads a file system before this is done.

A disk image is hostile input: a qcow2 may name a backing file or an external data file, and whoever opens it then
reads files of the host (CVE-2024-32498). So the format is stated by the caller or detected from the header by
oslo.utils' inspector, which OpenStack made for exactly this; then the header's safety checks run; and only then do
QEMU's tools see the file, with the format given explicitly, under resource limits and without network.
"""

import json
import stat
import threading
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from diskimage_validator.digest import Digest, digest_of
from diskimage_validator.errors import TargetError, UsageError
from diskimage_validator.frozen import dataclass
from diskimage_validator.oslo_inspector import format_inspector
from diskimage_validator.process import Limits, run

FORMATS: Final = ("qcow2", "raw")
"""Formats that are read. Everything else is refused with its name: convert it first."""

QEMU_LIMITS: Final = Limits(address_space=1 << 30, cpu_seconds=30, file_size=0)
QEMU_TIMEOUT: Final = 60.0

REFUSALS: Final = {
    "backing_file": "it has a backing file",
    "data_file": "it has an external data file",
    "unknown_features": "it uses qcow2 features that are not known to be safe",
}
"""The names of oslo.utils' safety checks, in words."""


@dataclass(frozen=True)
class ImageFile:
    """An image that passed the pre-flight. Sizes in bytes; ``notes`` are harmless oddities for the report.

    ``digest`` is on its way; whoever closes an engine stops it.

    ``compat``, ``compression`` (see Disk) and ``cluster_size`` are qcow2's, None for any other format.
    """

    path: Path
    format: str
    file_size: int
    virtual_size: int
    digest: Digest = field(compare=False)
    compat: str | None = None
    compression: str | None = None
    cluster_size: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """The digest as lower-case hex, waited for. Raises TargetError if the file changed meanwhile."""
        return self.digest.result()


def examine(path: Path, *, image_format: str | None = None, progress: Callable[[str], None] | None = None) -> ImageFile:
    """Return the facts of the image file at ``path``, or refuse it.

    ``image_format`` is one of FORMATS, or None to detect it. Raises UsageError for a path or format that makes no sense
    and TargetError, with the reason, for an image that must not be read: backing file, external data file, encryption,
    unknown features, corruption, or a format other than FORMATS.
    """
    if progress:
        progress(f"checking {path.name}")
    begun = _begun.pop((path, image_format), None)
    if begun is not None:
        return begun.result()
    path = _regular_file(path)
    digest = digest_of(path)
    try:
        return _examine(path, digest, image_format)
    except BaseException:
        digest.stop()
        raise


class _Examination(threading.Thread):
    """``examine`` beside other work. It mostly waits for qemu-img, which ends with it, however that happens."""

    def __init__(self, path: Path, image_format: str | None) -> None:
        super().__init__(daemon=True)
        self._path, self._format = path, image_format
        self._outcome: ImageFile | BaseException
        self.start()

    def run(self) -> None:
        try:
            self._outcome = examine(self._path, image_format=self._format)
        except BaseException as error:  # raised where it is waited for
            self._outcome = error

    def result(self) -> ImageFile:
        """Return what ``examine`` returned, or raise what it raised."""
        self.join()
        if isinstance(self._outcome, BaseException):
            raise self._outcome
        return self._outcome


_begun: dict[tuple[Path, str | None], _Examination] = {}


def begin(path: Path, *, image_format: str | None) -> None:
    """Begin the examination of a file whose digest was begun: ``examine`` will be asked for the same soon."""
    _begun[path, image_format] = _Examination(path, image_format)


def _examine(path: Path, digest: Digest, image_format: str | None) -> ImageFile:
    detected = _inspect_header(path, image_format)
    notes: list[str] = []
    details = _qemu_img("info", path, detected, notes)
    _refuse_references(path, details)
    checked = _check_consistency(path, notes) if detected == "qcow2" else {}
    if leaks := int(checked.get("leaks", 0)):
        notes.append(f"{leaks} leaked clusters: space is wasted, the content is right")
    features = details.get("format-specific", {}).get("data", {}) if detected == "qcow2" else {}
    return ImageFile(
        path=path,
        format=detected,
        file_size=path.stat().st_size,
        virtual_size=int(details["virtual-size"]),
        digest=digest,
        compat=features.get("compat"),
        compression=_compression(features, checked) if detected == "qcow2" else None,
        cluster_size=details.get("cluster-size") if detected == "qcow2" else None,
        notes=tuple(dict.fromkeys(notes)),
    )


def sha256_of(path: Path) -> str:
    """Return the sha256 of the file's bytes, as they are now, as lower-case hex."""
    return Digest(path).result()


def _regular_file(path: Path) -> Path:
    try:
        real = path.resolve(strict=True)
        mode = real.stat().st_mode
        if stat.S_ISREG(mode):
            with real.open("rb"):
                return real
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file", "is the path right, and was the image built?") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    raise UsageError(f"{path}: not a regular file", "name a qcow2 or raw disk image")


def _inspect_header(path: Path, stated: str | None) -> str:
    """Return the format of the image, ``qcow2`` or ``raw``, after the header's safety checks."""
    if stated is not None and stated not in FORMATS:
        raise UsageError(f"image format {stated!r} is not supported", f"supported: {', '.join(FORMATS)}")
    oslo: Any = format_inspector()
    try:
        inspector = oslo.detect_file_format(str(path))
    except oslo.ImageFormatError as error:
        raise TargetError(f"{path}: ambiguous image format: {error}") from None
    # The inspector calls a raw disk by its partition table; an empty file matches nothing.
    found = "unknown" if inspector is None else str(inspector)
    found = "raw" if found == "gpt" else found
    if found == "luks":
        raise TargetError(f"{path}: the image is encrypted (LUKS)", "validate the image before it is encrypted")
    if found not in FORMATS:
        hint = f"convert it first: qemu-img convert -f {found} -O qcow2 ..." if found != "unknown" else ""
        raise TargetError(f"{path}: image format {found} is not supported", hint)
    if stated is not None and stated != found:
        raise TargetError(f"{path}: stated to be {stated}, but its header says {found}")
    if found == "qcow2" and inspector is not None:
        _refuse_unsafe_header(path, oslo, inspector)
    return found


def _refuse_unsafe_header(path: Path, oslo: Any, inspector: Any) -> None:
    try:
        inspector.safety_check()
    except oslo.SafetyCheckFailed as error:
        reasons = "; ".join(REFUSALS.get(name, str(reason)) for name, reason in error.failures.items())
        raise TargetError(
            f"{path}: refused: {reasons}",
            "such an image can make its reader open other files: flatten it with qemu-img convert on a trusted host",
        ) from None


def _qemu_img(
    verb: str, path: Path, image_format: str, notes: list[str], *, good: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """Run ``qemu-img VERB`` on the image and return its JSON. What it had to do without is added to ``notes``."""
    # The path is absolute, so QEMU cannot take a "json:" or "nbd:" in it for a protocol.
    command = ["qemu-img", verb, "-f", image_format, "--output=json", str(path)]
    done = run(command, timeout=QEMU_TIMEOUT, limits=QEMU_LIMITS, offline=True)
    if done.note:
        notes.append(done.note)
    if done.status not in good:
        said = done.stderr.strip().splitlines()
        raise TargetError(f"{path}: qemu-img {verb}: {said[-1] if said else f'exit status {done.status}'}")
    try:
        parsed: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise TargetError(f"{path}: qemu-img {verb} printed no JSON") from None
    return parsed


def _refuse_references(path: Path, details: dict[str, Any]) -> None:
    """Hold QEMU's own reading of the header against ours: the two must agree that the image stands alone."""
    specific = details.get("format-specific", {}).get("data", {})
    if details.get("encrypted") or specific.get("encrypt"):
        raise TargetError(f"{path}: the image is encrypted", "validate the image before it is encrypted")
    if "backing-filename" in details or specific.get("data-file"):
        raise TargetError(f"{path}: refused: the image refers to another file")
    if specific.get("corrupt"):
        raise TargetError(f"{path}: QEMU marked the image as corrupt", "repair or rebuild the image")


def _compression(features: dict[str, Any], checked: dict[str, Any]) -> str:
    """Return the compression of the clusters: the header names a type even if nothing is compressed."""
    return str(features.get("compression-type", "zlib")) if checked.get("compressed-clusters") else "none"


def _check_consistency(path: Path, notes: list[str]) -> dict[str, Any]:
    """Run ``qemu-img check`` (exit status 2: corrupt, 3: leaked clusters; qemu-img(1)) and return what it counted."""
    outcome = _qemu_img("check", path, "qcow2", notes, good=(0, 2, 3))
    if outcome.get("corruptions") or outcome.get("check-errors"):
        raise TargetError(f"{path}: the qcow2 metadata is corrupt", "rebuild the image; qemu-img check shows details")
    return outcome
