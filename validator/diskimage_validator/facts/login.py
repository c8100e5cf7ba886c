"""Who can log in to the node that an image becomes, with a key that the image does not know: its own files decide.

systemd reads credentials from the machine's SMBIOS from version 252 on, and systemd-tmpfiles writes any file that one
of them describes (systemd(1), tmpfiles.d(5)). So the key goes where the image's sshd looks for it, into a file that the
image does not have, if there is such a place. Where systemd is older, cloud-init gives the key of a config drive to its
default user; without cloud-init, that file is written before the node boots. Nothing of the image's configuration is
changed: who may not log in does not.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.accounts import User, read_accounts
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.cloud_config import read_cloud_config
from diskimage_validator.facts.os_release import read_os_release
from diskimage_validator.facts.packages import read_packages
from diskimage_validator.facts.ssh import Ssh, key_path, read_ssh
from diskimage_validator.facts.sudo import Sudo, read_sudo
from diskimage_validator.facts.sudo_rights import root_right
from diskimage_validator.globs import name_matches
from diskimage_validator.login import Login

NEEDED_SYSTEMD: Final = 252
CLOUD_INIT: Final = "/usr/bin/cloud-init"
FIRST_USER: Final = 1000
LAST_USER: Final = 60000
"""The uids of people: login.defs(5), UID_MIN and UID_MAX."""
NO_SHELLS: Final = ("nologin", "false", "sync", "halt", "shutdown")
ROOT_WITH_KEY: Final = ("yes", "prohibit-password", "without-password")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


class NoLoginError(FactError):
    """Nobody can log in with a key that the image does not know: ``message`` has all reasons."""


def read_login(engine: Engine, user: str = "") -> Login:
    """Return how to log in to the target once it runs: as ``user``, or as whoever can become root.

    Somebody who needs no password for sudo is preferred to root: that is whom the image was made for. Raises
    NoLoginError if nobody can, and FactError if that cannot be told.
    """
    ssh = read_ssh(engine, accounts := read_accounts(engine))
    if ssh is None:
        raise NoLoginError("there is no configuration of sshd")
    if (ssh.value("PubkeyAuthentication") or "yes").lower() == "no":
        raise NoLoginError(
            f"sshd takes no keys: PubkeyAuthentication no in {ssh.settings['pubkeyauthentication'].path}"
        )
    version = _systemd_version(engine)
    if not version:
        raise NoLoginError("there is no systemd, which would tell when the boot is over")
    is_old = version < NEEDED_SYSTEMD
    name = _default_user(engine)
    by_drive = Login(name, "config-drive") if name and user in ("", name) else None
    if by_drive and is_old:
        return by_drive
    reasons = []
    sudo = read_sudo(engine)
    people = [one for one in accounts.users if FIRST_USER <= one.uid < LAST_USER]
    roots = [one for one in accounts.users if one.uid == 0]
    for candidate in [*people, *roots]:
        if user and candidate.name != user:
            continue
        reason = _refusal(candidate, ssh, sudo)
        found = None if reason else _place(engine, candidate, ssh)
        if found:
            return replace(found, way="overlay") if is_old else found
        reasons.append(f"{candidate.name}: {reason or 'sshd has no file for keys that could be written'}")
    if by_drive and accounts.user(name) is None:
        return by_drive
    raise NoLoginError("; ".join(reasons) or f"there is no user {user}")


def _systemd_version(engine: Engine) -> int:
    """Return the major version of the package systemd, 0 if there is none."""
    found = read_packages(engine, read_os_release(engine).family)
    versions = [package.version for package in found.named("systemd") if package.is_installed]
    match = re.match(r"(?:[0-9]+:)?([0-9]{1,5})", versions[0]) if versions else None
    return int(match[1]) if match else 0


def _refusal(user: User, ssh: Ssh, sudo: Sudo | None) -> str:
    """Return why ``user`` is of no use, empty if nothing is known against it."""
    if not _NAME.fullmatch(user.name):
        return "an odd name"
    if posixpath.basename(user.shell) in NO_SHELLS:
        return f"the shell is {user.shell}"
    if user.uid == 0:
        allowed = (ssh.value("PermitRootLogin") or "prohibit-password").lower()
        if allowed not in ROOT_WITH_KEY:
            return f"PermitRootLogin {allowed}"
    else:
        right = root_right(sudo, user) if sudo else None
        if right is None or not right.nopasswd:
            return "sudo without a password is not allowed"
    for keyword, wanted, names in (
        ("AllowUsers", True, (user.name,)),
        ("DenyUsers", False, (user.name,)),
        ("AllowGroups", True, user.groups),
        ("DenyGroups", False, user.groups),
    ):
        setting = ssh.settings.get(keyword.lower())
        if setting and any(name_matches(name, one) for one in setting.value.split() for name in names) is not wanted:
            return f"{keyword} {setting.value}"
    return ""


def _place(engine: Engine, user: User, ssh: Ssh) -> Login | None:
    """Return where sshd would find a key of ``user``: a file that is not there yet before one that is."""
    existing = []
    patterns = (ssh.value("AuthorizedKeysFile") or "").split()
    for path in (posixpath.normpath(key_path(pattern, user)) for pattern in patterns if patterns != ["none"]):
        if not path.isprintable():
            continue
        entry = engine.stat(path)
        at_home = path.startswith(user.home.rstrip("/") + "/")
        if entry is None:
            folders = tuple(_missing(engine, path))
            if at_home and user.home in folders:
                continue
            owner, group, mode = (user.uid, user.gid, 0o600) if at_home else (0, 0, 0o644)
            return Login(user.name, "credential", path, owner, group, mode, exists=False, folders=folders)
        if entry.is_file:
            existing.append(Login(user.name, "credential", path, entry.uid, entry.gid, exists=True))
    return existing[0] if existing else None


def _missing(engine: Engine, path: str) -> Iterator[str]:
    """Yield the folders above ``path`` that are not there, parents first."""
    parts = posixpath.dirname(path).split("/")
    for count in range(2, len(parts) + 1):
        folder = "/".join(parts[:count])
        if not engine.exists(folder):
            yield folder


def _default_user(engine: Engine) -> str:
    """Return whom cloud-init gives the keys of a server to, empty if there is no cloud-init or nobody."""
    if not engine.exists(CLOUD_INIT):
        return ""
    try:
        info = read_cloud_config(engine).get("system_info")
    except ValidatorError:
        return ""
    found = info.get("default_user") if isinstance(info, dict) else None
    name = found.get("name") if isinstance(found, dict) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""
