"""Where secrets are looked for: which files are read for private keys, and which parser reads which configuration."""

import re
from functools import cache
from typing import Final

from diskimage_validator.facts.file_modes import STORAGE
from diskimage_validator.globs import fixed_folder, matches

EVERYTHING: Final = ("/etc/",)
"""Folders in which every file is read."""
BY_NAME: Final = (
    "/root/",
    "/home/",
    "/opt/",
    "/srv/",
    "/usr/local/",
    "/var/lib/",
    "/var/www/",
    "/var/backups/",
    "/var/spool/",
    "/media/",
    "/mnt/",
    "/boot/",
    "/tmp/",  # noqa: S108 - folders of the image
    "/var/tmp/",  # noqa: S108
)
"""Folders in which files are read whose name is that of a key."""
KEY_FOLDERS: Final = (".ssh/", ".gnupg/", ".docker/", ".kube/", ".config/containers/", ".pki/")
"""Folders of a home in which every file is read."""
KEY_NAME: Final = re.compile(
    r".*\.(?:pem|key|ppk|asc|gpg|p8|pk8|der|priv|private|crt|cer|secret)|id_[a-z0-9_-]+|.*_(?:rsa|dsa|ecdsa|ed25519)"
    r"|.*priv(?:ate)?[-_.]?key.*",
    re.IGNORECASE,
)
SKIPPED: Final = tuple(f"{folder}/" for folder in (*STORAGE, "/var/lib/dpkg", "/var/lib/apt", "/var/lib/rpm"))
LIBRARIES: Final = ("/site-packages/", "/dist-packages/", "/node_modules/")
"""Installed libraries carry keys for their own tests, which open nothing."""

CONFIGURATION: Final[dict[str, tuple[str, ...]]] = {
    "assignments": (
        "/etc/environment",
        "/etc/environment.d/*",
        "/etc/profile",
        "/etc/profile.d/*",
        "/etc/bash.bashrc",
        "/etc/bashrc",
        "/etc/default/*",
        "/etc/sysconfig/**",
        "/etc/systemd/**",
        "/etc/dib-manifests/*",
        "/etc/cloud/**.cfg",
        "/etc/yum.conf",
        "/etc/yum.repos.d/*",
        "/etc/dnf/**.conf",
        "/etc/zypp/**",
        "/etc/pip.conf",
        "/etc/xdg/pip/pip.conf",
        "/etc/npmrc",
        "/usr/etc/npmrc",
        "/usr/local/etc/npmrc",
        "/etc/gitconfig",
        "/etc/mysql/**.cnf",
        "/etc/my.cnf",
        "/etc/openstack/*.yaml",
        "/etc/kubernetes/*.conf",
        "/etc/rancher/**.yaml",
        "/etc/NetworkManager/system-connections/*",
        "/etc/wpa_supplicant/*",
        "~/.bashrc",
        "~/.bash_profile",
        "~/.profile",
        "~/.zshrc",
        "~/.zshenv",
        "~/.env",
        "~/.ssh/environment",
        "~/.config/environment.d/*",
        "~/.pypirc",
        "~/.pip/pip.conf",
        "~/.config/pip/pip.conf",
        "~/.npmrc",
        "~/.yarnrc",
        "~/.yarnrc.yml",
        "~/.cargo/credentials*",
        "~/.gem/credentials",
        "~/.gitconfig",
        "~/.config/git/config",
        "~/.my.cnf",
        "~/.aws/*",
        "~/.s3cfg",
        "~/.boto",
        "~/.config/openstack/*.yaml",
        "~/.config/gcloud/**.json",
        "~/.config/gh/hosts.yml",
        "~/.config/rclone/rclone.conf",
        "~/.terraform.d/credentials.tfrc.json",
        "~/.kube/config",
    ),
    "netrc": ("/etc/apt/auth.conf", "/etc/apt/auth.conf.d/*", "/etc/netrc", "~/.netrc"),
    "docker": (
        "/etc/docker/config.json",
        "/etc/containers/auth.json",
        "/run/containers/*/auth.json",
        "/var/lib/kubelet/config.json",
        "~/.docker/config.json",
        "~/.dockercfg",
        "~/.config/containers/auth.json",
    ),
    "pgpass": ("~/.pgpass",),
    "urls": (
        "/usr/etc/npmrc",
        "/usr/local/etc/npmrc",
        "~/.*",
        "~/.config/**",
        "~/.pip/*",
        "~/.docker/config.json",
    ),
    "debconf": ("/var/cache/debconf/passwords.dat",),
    "anything": ("~/.vault-token", "~/.config/gcloud/credentials.db", "~/.config/gcloud/access_tokens.db"),
}
"""Name of a parser (see credentials.PARSERS) to the files it reads; ``~`` is every home. URLs are looked for in all of
/etc, too."""


def is_key_candidate(path: str, homes: tuple[str, ...]) -> bool:
    """Whether the regular file at ``path`` is read for private keys."""
    if path.startswith(EVERYTHING):
        return True
    if path.startswith(SKIPPED) or any(library in path for library in LIBRARIES):
        return False
    key_folders, places = _places(homes)
    if path.startswith(key_folders):
        return True
    return path.startswith(places) and KEY_NAME.fullmatch(path.rpartition("/")[2]) is not None


@cache
def _places(homes: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return where every file is read for keys, and where those are whose name is that of a key."""
    folders = tuple(f"{home}/" for home in homes)
    return tuple(home + folder for home in folders for folder in KEY_FOLDERS), (*BY_NAME, *folders)


def parsers_of(path: str, homes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the parsers that read the regular file at ``path``; none for most files."""
    if not path.startswith(_reach(homes)):
        return ()
    names: set[str] = set()
    if matches(path, _absolute()):  # few files are
        names.update(name for name in CONFIGURATION if matches(path, _patterns(name)[0]))
    for home in homes:
        if path.startswith(f"{home}/"):
            inside = f"~{path.removeprefix(home)}"
            names.update(name for name in CONFIGURATION if matches(inside, _patterns(name)[1]))
    if path.startswith(EVERYTHING):
        names.add("urls")
    return tuple(sorted(names))


@cache
def _reach(homes: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the path of every file that a parser reads begins with."""
    patterns = [pattern for patterns in CONFIGURATION.values() for pattern in patterns if pattern[0] == "/"]
    return (*EVERYTHING, *{fixed_folder(pattern) for pattern in patterns}, *(f"{home}/" for home in homes))


@cache
def _absolute() -> tuple[str, ...]:
    return tuple(pattern for name in CONFIGURATION for pattern in _patterns(name)[0])


@cache
def _patterns(name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    patterns = CONFIGURATION[name]
    return tuple(p for p in patterns if p[0] == "/"), tuple(p for p in patterns if p[0] == "~")
