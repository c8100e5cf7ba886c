"""How a key of this run reaches the node: by what systemd, from version 252 on, reads from the machine's SMBIOS.

A string of type 11 that begins with ``io.systemd.credential.binary:NAME=`` becomes the credential NAME (systemd(1),
"Credentials"). systemd-tmpfiles takes the credential ``tmpfiles.extra`` as further lines of its configuration
(systemd-tmpfiles(8)), before sshd starts; so any file can get the key, on a system with or without cloud-init. The
better known ``ssh.authorized_keys.root`` is one such line, for root, who often may not log in.
"""

import base64
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from diskimage_validator.frozen import dataclass
from diskimage_validator.login import Login

PREFIX: Final = "io.systemd.credential.binary:"
EXTRA: Final = "tmpfiles.extra"
COMMENT: Final = "diskimage-validator"


@dataclass(frozen=True)
class KeyPair:
    """A key that was made for one run: ``private`` is its file, mode 0600; ``public`` a line of authorized_keys."""

    private: Path
    public: str


def make_key(folder: Path) -> KeyPair:
    """Make an ed25519 key in ``folder``, which must be private."""
    key = Ed25519PrivateKey.generate()
    path = folder / "key"
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return KeyPair(path, f"{public} {COMMENT}")


def tmpfiles_lines(login: Login, public: str) -> str:
    """Return lines of tmpfiles.d(5) that let ``login.user`` in with the key ``public``."""
    owner = f"{login.owner} {login.group}"
    lines = [f"d {_quoted(folder)} {login.folder_mode:04o} {owner} -" for folder in login.folders]
    if login.exists:
        # The line break in front: the file may end without one.
        lines.append(f"w+ {_quoted(login.path)} - - - - \\n{_escaped(public)}\\n")
    else:
        lines.append(f"f+ {_quoted(login.path)} {login.mode:04o} {owner} - {_escaped(public)}\\n")
    return "".join(f"{line}\n" for line in lines)


def smbios_strings(credentials: dict[str, str]) -> list[str]:
    """Return the strings of SMBIOS type 11 that carry ``credentials``, name to content."""
    return [f"{PREFIX}{name}={base64.b64encode(text.encode()).decode()}" for name, text in credentials.items()]


def _quoted(path: str) -> str:
    return f'"{_escaped(path)}"'


def _escaped(text: str) -> str:
    r"""Protect what tmpfiles.d(5) would expand: specifiers begin with ``%``, C-style escapes with a backslash."""
    return text.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
