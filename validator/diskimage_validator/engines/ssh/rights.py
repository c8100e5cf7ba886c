"""With whose rights a node is read: the account's own, and root's through ``sudo -n`` once those are not enough."""

from typing import Final

from paramiko import SFTPClient
from paramiko.ssh_exception import SSHException

from diskimage_validator.engines.ssh.connection import Connection
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.engines.ssh.sftp import START, open_sftp
from diskimage_validator.engines.ssh.shell import Shell, ShellError
from diskimage_validator.errors import EngineError, PermissionDeniedError

SUDO: Final = "sudo -n "
ROOT: Final = "0"


class Rights:
    """The ways to read a node. ``sftp`` is the one with the most rights so far; ``reason``: why there are no more."""

    def __init__(self, connection: Connection, options: SshOptions) -> None:
        """Open SFTP. Raises EngineError if the node has none."""
        self._connection = connection
        self._options = options
        self._shell = Shell(connection.open_channel, "sh", timeout=options.timeout)
        self._root_shell = Shell(connection.open_channel, f"{SUDO}sh", timeout=options.timeout)
        self._no_shell = ""
        self._uid = ""
        self._elevated = False
        self.reason = ""
        try:
            self.sftp = self._open_sftp()
        except EngineError:
            self.sftp = self._open_sftp(START)

    def shell(self) -> Shell:
        """Return the account's shell. Raises PermissionDeniedError if it has none."""
        if not self._no_shell:
            try:
                self._shell.start()
            except ShellError as error:
                self._no_shell = error.message
        if self._no_shell:
            raise PermissionDeniedError(self._no_shell)
        return self._shell

    def root_shell(self) -> Shell:
        """Return a shell of root. Raises PermissionDeniedError, with the reason, if there is none."""
        if self._is_root():
            return self._shell
        if not self._options.sudo:
            self.reason = f"{self._connection.hop.user} is not root, and sudo is not to be used"
        if not self.reason:
            try:
                self._root_shell.start()
            except ShellError as error:
                self.reason = f"{self._connection.hop.user} is not root, and {error.message}"
        if self.reason:
            raise PermissionDeniedError(self.reason)
        return self._root_shell

    def elevate(self) -> bool:
        """Read as root from now on; return whether that is news. If not, ``reason`` says why."""
        if self._elevated:
            return False
        self._elevated = True
        try:
            if self._is_root():
                self.reason = "not even root may read it"
                return False
            self.root_shell()
            self.sftp = self._open_sftp(SUDO + START)
        except PermissionDeniedError as error:
            self.reason = error.message
            return False
        except EngineError as error:
            self.reason = f"sudo works, but there is no SFTP server to be started with it: {error.message}"
            return False
        return True

    def best_shell(self) -> Shell:
        """Return root's shell if files are read as root, else the account's."""
        return self.root_shell() if self._elevated and not self.reason else self.shell()

    def _is_root(self) -> bool:
        if not self._uid:
            try:
                _, output, _ = self.shell().run(["id", "-u"], timeout=self._options.timeout, limit=100)
            except PermissionDeniedError:
                output = b"unknown"
            self._uid = output.decode("ascii", "replace").strip()
        return self._uid == ROOT

    def _open_sftp(self, command: str = "") -> SFTPClient:
        channel = self._connection.open_channel()
        try:
            return open_sftp(channel, command)
        except (SSHException, OSError, EOFError) as error:
            channel.close()
            hop = self._connection.hop
            raise EngineError(f"{hop}: no SFTP: {error or type(error).__name__}", "enable it in sshd_config") from error
        except BaseException:
            channel.close()
            raise
