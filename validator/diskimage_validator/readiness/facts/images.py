"""What node images trust."""

from diskimage_validator.facts import Facts
from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask


@dataclass(frozen=True)
class AskImage(Ask[Facts]):
    """The trust stores of the disk image at ``path``."""

    path: str

    @property
    def target(self) -> str:
        """A file of this host: nothing is contacted."""
        return self.path

    @property
    def what(self) -> str:
        """Reading."""
        return "read the trust stores in the image"
