"""How somebody who made a key a moment ago gets it to a node that was not made for that: data, no behaviour."""

from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class Login:
    """Who logs in, and how the node comes to accept the key of this run.

    ``way`` is ``credential``: systemd writes the key into the file ``path`` while the node boots; ``config-drive``:
    cloud-init gives it to its default user; or ``overlay``: it is written into that file before the node boots. The
    rest describes the file: ``owner`` and ``group`` by number, ``mode``, whether the image has it already (``exists``:
    then the key is added to it), and the ``folders`` above it that are to be made first, parents first.
    """

    user: str
    way: str
    path: str = ""
    owner: int = 0
    group: int = 0
    mode: int = 0o600
    exists: bool = False
    folders: tuple[str, ...] = ()

    @property
    def folder_mode(self) -> int:
        """The mode of ``folders``: a file that only its owner reads is in one that only its owner enters.

        sshd asks for no more.
        """
        return 0o700 if self.mode == 0o600 else 0o755
