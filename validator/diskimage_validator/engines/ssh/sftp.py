"""SFTP (draft-ietf-secsh-filexfer-02), for reading."""

from itertools import islice
from typing import Final

from paramiko import Channel, SFTPAttributes, SFTPClient

from diskimage_validator.errors import EngineError

MAX_NAMES: Final = 1_000_000
"""Names that are read of one folder."""
SERVERS: Final = (
    "/usr/lib/openssh/sftp-server",  # Debian
    "/usr/libexec/openssh/sftp-server",  # RHEL, Fedora
    "/usr/lib/ssh/sftp-server",  # SUSE
    "/usr/libexec/ssh/sftp-server",
    "/usr/libexec/sftp-server",
)
START: Final = f"sh -c 'for s in {' '.join(SERVERS)}; do [ -x $s ] && exec $s -R; done; exit 127'"
"""Start the node's own SFTP server, read-only (sftp-server(8)), where the subsystem is not what is wanted."""


def open_sftp(channel: Channel, command: str = "") -> SFTPClient:
    """Return a client over ``channel``: of the subsystem, or of a server that ``command`` starts.

    Raises SSHException, OSError or EOFError, as the client does.
    """
    if command:
        channel.exec_command(command)
    else:
        channel.invoke_subsystem("sftp")
    return SFTPClient(channel)


def scan(client: SFTPClient, path: bytes) -> list[SFTPAttributes]:
    """Return the lstat of every entry of the folder ``path``, with ``filename``, without ``.`` and ``..``.

    Raises what the client does: UnicodeDecodeError for a name that is not UTF-8; and EngineError for too many.
    """
    # One answer at a time: none is on its way when this gives up.
    found = list(islice(client.listdir_iter(path, read_aheads=1), MAX_NAMES + 1))
    if len(found) > MAX_NAMES:
        raise EngineError(f"more than {MAX_NAMES} names in one folder")
    return found
