"""What node images are, and what was said of them when they were built."""

from datetime import datetime

from diskimage_validator.facts import Facts
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask


@dataclass(frozen=True)
class FileAsk:
    """What all questions are about: the file at ``path``, of this host, so that nothing is contacted."""

    path: str

    @property
    def target(self) -> str:
        """The file."""
        return self.path


@dataclass(frozen=True)
class AskImage(FileAsk, Ask[Facts]):
    """The trust stores of the disk image at ``path``."""

    @property
    def what(self) -> str:
        """Reading."""
        return "read the trust stores in the image"


@dataclass(frozen=True)
class AskNodeImage(FileAsk, Ask[Facts]):
    """What ``policy``, named as in the ``factory.yaml``, or nobody if that is empty, asks of the image at ``path``."""

    policy: str

    @property
    def what(self) -> str:
        """Reading."""
        return f"read the image for the policy {self.policy}" if self.policy else "compute the sha256 of the image"


@dataclass(frozen=True)
class ImageIdentity:
    """Which image a file is: its format, ``qcow2`` or ``raw``, and its sha256 in hex."""

    format: str
    sha256: str


@dataclass(frozen=True)
class AskImageFile(FileAsk, Ask[ImageIdentity]):
    """Which image the file at ``path`` is; what is in it is not looked at."""

    @property
    def what(self) -> str:
        """Reading."""
        return "compute the sha256 of the file"


@dataclass(frozen=True)
class StoredReport:
    """A report of ``validate`` in a file. ``started``: UTC; ``exit_status``: its verdict; both digests in hex."""

    sha256: str
    policy_digest: str
    started: datetime
    exit_status: int


@dataclass(frozen=True)
class AskReport(FileAsk, Ask[StoredReport]):
    """What the report at ``path`` says."""

    @property
    def what(self) -> str:
        """Reading."""
        return "read the report"
