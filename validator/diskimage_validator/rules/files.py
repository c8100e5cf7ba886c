"""Rules about single files."""

from typing import Annotated

from pydantic import Field

from diskimage_validator.rules.base import GlobField, Model, NonEmpty, Sha256Field

PathField = Annotated[str, Field(pattern=r"^/[^*?\[]*$", description="an absolute path", examples=["/etc/motd"])]
ModeField = Annotated[str, Field(pattern=r"^[0-7]{4}$", description="permission bits", examples=["0644", "4755"])]
OwnerField = Annotated[
    str,
    Field(
        pattern=r"^[^:\s]+(:[^:\s]+)?$",
        description="user, or user:group, as names or numbers",
        examples=["root", "root:shadow", "0:0"],
    ),
]


class RequiredFile(Model):
    """A file, folder or link that has to be there. What is left out may be anything."""

    path: PathField
    """Links are followed, inside the image, but for ``link``."""
    sha256: Sha256Field | None = None
    """Digest of the content."""
    mode: ModeField | None = None
    """Permission bits, four octal digits in quotes."""
    owner: OwnerField | None = None
    """User, or ``user:group``."""
    link: NonEmpty | None = None
    """The path is a symbolic link with this text."""


class FileRules(Model):
    """Files that have to be there, and files that must not."""

    required: list[RequiredFile] = []
    """What has to be there, and how."""
    absent: list[GlobField] = []
    """What must not be there, as paths or patterns of paths."""

    @property
    def paths(self) -> frozenset[str]:
        """Every path and pattern that is to be looked for."""
        return frozenset([*self.absent, *(rule.path for rule in self.required)])
