"""What ``repodata/repomd.xml`` of an RPM repository says of its other files (createrepo_c(8), rpm-metadata)."""

import hashlib
import re
from collections.abc import Mapping
from typing import IO, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.probes.indices.xml_stream import parse_xml

MAX_REPOMD: Final = 4 * 1024 * 1024
KINDS: Final = ("primary", "filelists")
ALGORITHMS: Final = ("sha224", "sha256", "sha384", "sha512")
_NAMESPACE: Final = "http://linux.duke.edu/metadata/repo "
_HREF: Final = re.compile(r"[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*(/[A-Za-z0-9_+~-][A-Za-z0-9._+~-]*)*", re.ASCII)
_CHUNK: Final = 1024 * 1024


@dataclass(frozen=True)
class Listed:
    """A file of the repository: ``href`` relative to its root, and the checksum that it has as it is sent."""

    href: str
    algorithm: str
    digest: str

    def verify(self, file: IO[bytes]) -> None:
        """Read ``file`` to its end, and go back. Raises EngineError if it is another one than is listed."""
        found = hashlib.new(self.algorithm)
        while data := file.read(_CHUNK):
            found.update(data)
        if found.hexdigest() != self.digest:
            message = f"{self.href} has not the {self.algorithm} that repomd.xml lists: {found.hexdigest()}"
            raise EngineError(message, "the mirror is damaged, or being updated: try again, or mirror it anew")
        file.seek(0)


def parse_repomd(repomd: IO[bytes]) -> dict[str, Listed]:
    """Return the files of KINDS that are there, ``primary`` at least. Raises EngineError if it is not said properly."""
    reader = _Repomd()
    parse_xml(repomd, reader.start, reader.end, MAX_REPOMD)
    if "primary" not in reader.found:
        raise EngineError("it lists no 'primary'", "is this a repomd.xml?")
    return reader.found


class _Repomd:
    def __init__(self) -> None:
        self.found: dict[str, Listed] = {}
        self._type = self._href = self._algorithm = self._digest = ""

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        match name.removeprefix(_NAMESPACE):
            case "data":
                self._type = attributes.get("type", "")
                self._href = self._algorithm = self._digest = ""
            case "checksum":
                self._algorithm = attributes.get("type", "")
            case "location":
                self._href = attributes.get("href", "")

    def end(self, name: str, text: str) -> None:
        match name.removeprefix(_NAMESPACE):
            case "checksum":
                self._digest = text.strip().lower()
            case "data" if self._type in KINDS:
                if not _HREF.fullmatch(self._href):
                    raise EngineError(f"it tells no place of '{self._type}' within the repository")
                if self._algorithm not in ALGORITHMS:
                    raise EngineError(f"it tells no checksum of '{self._type}' that counts: {', '.join(ALGORITHMS)}")
                self.found.setdefault(self._type, Listed(self._href, self._algorithm, self._digest))
