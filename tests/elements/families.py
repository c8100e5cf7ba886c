"""Families of distributions as fake roots see them, and what every fake root starts with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """What sets one family of distributions apart.

    ``os_element``: DIB element that provides the operating system (it sets DISTRO_NAME); ``os_release``: text of
    ``/etc/os-release``; ``hidden``: programs of the Debian host that this family does not have; ``folders``: what its
    base system has in the root already; ``release``: DIB_RELEASE.
    """

    os_element: str
    release: str
    os_release: str
    hidden: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


DEBIAN_TOOLS = (
    "/usr/bin/apt", "/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/dpkg-divert", "/usr/bin/dpkg-query",
    "/usr/sbin/adduser", "/usr/sbin/addgroup", "/usr/sbin/deluser", "/usr/sbin/update-ca-certificates",
)  # fmt: skip
FAMILIES = {
    "debian": Family(
        "debian-minimal",
        "bookworm",
        'ID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n',
        folders=("/etc/apt/apt.conf.d", "/etc/ssl/certs", "/usr/local/share/ca-certificates"),
    ),
    "ubuntu": Family(
        "ubuntu-minimal",
        "noble",
        'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n',
        folders=("/etc/apt/apt.conf.d", "/etc/ssl/certs", "/usr/local/share/ca-certificates"),
    ),
    "redhat": Family(
        "centos-minimal",
        "9-stream",
        'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="9"\n',
        hidden=DEBIAN_TOOLS,
        folders=("/etc/pki/ca-trust/source/anchors", "/etc/sysconfig", "/etc/yum.repos.d"),
    ),
    "suse": Family(
        "opensuse-minimal",
        "15.6",
        'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"\n',
        hidden=DEBIAN_TOOLS,
        folders=("/etc/pki/trust/anchors", "/etc/sysconfig", "/etc/zypp"),
    ),
}

# A root's own folders, with modes that differ from 0755.
FOLDERS = {
    "dev": 0o755, "etc": 0o755, "home": 0o755, "opt": 0o755, "proc": 0o755, "root": 0o700, "run": 0o755, "sys": 0o755,
    "tmp": 0o1777, "usr": 0o755, "usr/local": 0o755, "usr/local/bin": 0o755, "usr/local/sbin": 0o755,
    "usr/local/share": 0o755, "var": 0o755, "var/cache": 0o755, "var/lib": 0o755, "var/log": 0o755,
    "var/tmp": 0o1777, "etc/sudoers.d": 0o750,
}  # fmt: skip

# Files of the host that its programs need to start at all; they say nothing about the host's own configuration.
COPIED = (
    "alternatives", "default/useradd", "ld.so.conf", "ld.so.conf.d", "login.defs", "nsswitch.conf",
    "pam.conf", "pam.d", "perl", "python3", "python3.11", "security", "shells", "skel", "ssl/openssl.cnf",
    "sudo.conf", "sudoers", "ucf.conf",
)  # fmt: skip

ACCOUNTS = {
    "passwd": (0o644, "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"),
    "group": (0o644, "root:x:0:\nsudo:x:27:\nusers:x:100:\nnogroup:x:65534:\n"),
    "shadow": (0o640, "root:*:20000:0:99999:7:::\nnobody:*:20000:0:99999:7:::\n"),
    "gshadow": (0o640, "root:*::\nsudo:*::\nusers:*::\nnogroup:*::\n"),
}
