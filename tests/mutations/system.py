"""Defects of units, booting, accounts, sudo and SSH."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from diskimage_validator.facts.boot import read_boot
from tests.support import node
from tests.support.mutations import Draft, Mutation

CONFIG = "/etc/systemd/system"
UNITS = "/usr/lib/systemd/system"
GRUB = "/boot/grub/grub.cfg"
SSHD = "/etc/ssh/sshd_config"
SUDO = "/etc/sudoers.d/90-zuul-node"
KEYS = "/home/zuul/.ssh/authorized_keys"
OFFER = "SHA256:*"

RULES: dict[str, Any] = {
    "services": {"disabled": ["debug-shell.service", "rsync.service"], "absent": ["telnet.socket"]},
    "access": {
        "accounts": {
            "required": [{"name": "zuul", "uid": 1000, "groups": ["zuul"], "shell": "/bin/bash", "home": "/home/zuul"}],
            "forbidden": ["debian", "ubuntu", "centos"],
        },
        "sshd": {"StrictModes": "yes"},
    },
}
RULES_DEB: dict[str, Any] = {
    "services": {"enabled": ["systemd-networkd.service", "dbus.service"], "masked": ["rc.service"]}
}


def in_file(path: str, old: str, new: str) -> Callable[[Draft], None]:
    return lambda draft: draft.replace(path, old, new)


def appended(path: str, text: str) -> Callable[[Draft], None]:
    return lambda draft: draft.append(path, text)


def written(path: str, text: str, mode: int = 0o440) -> Callable[[Draft], None]:
    return lambda draft: draft.write(path, text, mode=mode)


def linked(path: str, text: str) -> Callable[[Draft], None]:
    return lambda draft: draft.link(path, text)


def removed(*paths: str) -> Callable[[Draft], None]:
    def change(draft: Draft) -> None:
        for path in paths:
            draft.remove(path)

    return change


def moved_wants(draft: Draft) -> None:
    """Let only the rescue target want the SSH server."""
    draft.remove(f"{CONFIG}/multi-user.target.wants/ssh.service")
    draft.link(f"{CONFIG}/rescue.target.wants/ssh.service", f"{UNITS}/ssh.service")


def below_run(draft: Draft) -> None:
    """Enable systemd-networkd where a boot forgets it."""
    wants = "multi-user.target.wants/systemd-networkd.service"
    removed(f"{CONFIG}/{wants}", f"{CONFIG}/dbus-org.freedesktop.network1.service")(draft)
    draft.link(f"/run/systemd/system/{wants}", f"{UNITS}/systemd-networkd.service")


def renamed_rule(draft: Draft) -> None:
    """Give the file with the rule a name that sudo passes over."""
    text = draft.read(SUDO)
    draft.remove(SUDO)
    draft.write(f"{SUDO}.conf", text, mode=0o440)


def group_writable(draft: Draft) -> None:
    """Let a group that is not root's write the file with the rule, as a careless ``chmod`` does."""
    draft.chmod(SUDO, 0o660)
    draft.chown(SUDO, 0, 1000)


def without_initrd(draft: Draft) -> None:
    for kernel in read_boot(draft).kernels:
        draft.remove(kernel.initrd or "")


def other_kernel(draft: Draft) -> None:
    """Let a kernel's update leave the menu as it was."""
    (kernel,) = read_boot(draft).kernels
    draft.replace(GRUB, kernel.version, "6.1.0-1-amd64")


def relabelled(draft: Draft) -> None:
    """Give the file system of the root another label."""
    disk = draft.disk()
    assert disk is not None
    draft.change_disk(filesystems=tuple(replace(found, label="other") for found in disk.filesystems))


def weak_key(draft: Draft) -> None:
    fields = (b"ssh-rsa", b"\x01\x00\x01", b"\x00" + b"\xff" * 128)
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    draft.append(KEYS, f"ssh-rsa {base64.b64encode(blob).decode()} old\n")


BOTH = {
    "telnet",
    "fstab-waits",
    "second-root",
    "default-user",
    "uid-twice",
    "other-shell",
    "damaged-passwd",
    "password-again",
    "sudo-group-without-password",
    "sudoers-damaged",
    "root-login",
    "earlier-drop-in",
    "match-block",
    "sshd-keyword",
    "lax-modes",
    "key-of-root",
    "weak-key",
    "key-that-nobody-knows",
    "home-writable",
    "keys-of-another-owner",
    "damaged-key",
}
"""What can be broken in the same way in an RPM tree."""


def defect(name: str, change: Callable[[Draft], None], *expected: tuple[str, str], **rules: Any) -> Mutation:
    return Mutation(f"system-{name}", "both" if name in BOTH else "deb", change, frozenset(expected), rules)


SSH = ("services-enabled", "ssh.service*")
ZUUL = ("sudo", "zuul")
ENTRY = ("boot", "entry *")
MUTATIONS: list[Mutation] = [
    defect("ssh-not-enabled", removed(f"{CONFIG}/multi-user.target.wants/ssh.service", f"{CONFIG}/sshd.service"), SSH),
    defect("ssh-masked", linked(f"{CONFIG}/ssh.service", "/dev/null"), SSH),
    defect("ssh-emptied", written(f"{CONFIG}/ssh.service", ""), SSH),
    defect("ssh-wanted-by-rescue", moved_wants, SSH),
    defect(
        "networkd-enabled-below-run",
        below_run,
        ("services-enabled", "systemd-networkd.service"),
    ),
    defect(
        "shell-at-boot",
        linked(f"{CONFIG}/sysinit.target.wants/debug-shell.service", f"{UNITS}/debug-shell.service"),
        ("services-disabled", "debug-shell.service"),
    ),
    defect(
        "everything-at-first-boot",
        in_file(GRUB, "root=LABEL=cloudimg-rootfs ro  c", "root=LABEL=cloudimg-rootfs rw  c"),
        ("services-disabled", "rsync.service"),
    ),
    defect(
        "unmasked",
        written(f"{CONFIG}/rc.service", "[Service]\nExecStart=/bin/true\n"),
        ("services-masked", "rc.service"),
    ),
    defect("telnet", written(f"{UNITS}/telnet.socket", "[Socket]\n"), ("services-absent", "telnet.socket")),
    defect(
        "rescue-by-default",
        linked(f"{CONFIG}/default.target", f"{UNITS}/rescue.target"),
        ("default-target", "default.target"),
        SSH,
        ("services-enabled", "systemd-networkd.service"),
        ("services-enabled", "dbus.service"),
    ),
    defect(
        "emergency-on-the-command-line",
        in_file(GRUB, " ro  console=tty0", " ro systemd.unit=emergency.target console=tty0"),
        ("default-target", "default.target"),
    ),
    defect("no-initrd", without_initrd, ("boot", "kernel *"), ENTRY),
    defect("menu-of-an-old-kernel", other_kernel, ENTRY),
    defect("no-menu", removed(GRUB), ("boot", "boot loader"), ("boot", "console *")),
    defect(
        "default-entry-gone",
        in_file(GRUB, 'default="0"', 'default="9"'),
        ("boot", "boot loader"),
        ("boot", "console *"),
    ),
    defect(
        "root-by-device-name",
        in_file(GRUB, "root=LABEL=cloudimg-rootfs ro  c", "root=/dev/vda1 ro  c"),
        ENTRY,
    ),
    defect("root-relabelled", relabelled, ENTRY, ("boot", "fstab /")),
    defect("no-console", in_file(GRUB, "console=ttyS0,115200", "quiet"), ("boot", "console *")),
    defect("fstab-waits", appended("/etc/fstab", "UUID=dead /data ext4 defaults 0 2\n"), ("boot", "fstab /data")),
    defect("fstab-without-root", written("/etc/fstab", "# none\n"), ("boot", "fstab /")),
    defect("second-root", appended("/etc/passwd", "toor:x:0:0::/root:/bin/bash\n"), ("accounts", "toor")),
    defect(
        "default-user", appended("/etc/passwd", "debian:x:1001:1000::/home/debian:/bin/bash\n"), ("accounts", "debian")
    ),
    defect("empty-password", in_file("/etc/shadow", "zuul:!:", "zuul::"), ("accounts", "zuul")),
    defect("root-password", in_file("/etc/shadow", "root:*:", "root:$6$salt$hash:"), ("accounts", "root")),
    defect("md5-behind-a-lock", in_file("/etc/shadow", "root:*:", "root:!$1$salt$hash:"), ("accounts", "root")),
    defect("uid-twice", appended("/etc/passwd", "other:x:1000:1000::/o:/bin/sh\n"), ("accounts", "uid 1000")),
    defect("other-shell", in_file("/etc/passwd", "/home/zuul:/bin/bash", "/home/zuul:/bin/sh"), ("accounts", "zuul")),
    defect("damaged-passwd", appended("/etc/passwd", "broken\n"), ("accounts", "/etc/passwd")),
    defect("rule-passed-over", renamed_rule, ZUUL),
    defect("rule-refused", group_writable, ("sudo", SUDO), ZUUL),
    defect("rule-of-another-owner", lambda draft: draft.chown(SUDO, 1000, 1000), ("sudo", SUDO), ZUUL),
    defect("password-again", written("/etc/sudoers.d/zz-late", "zuul ALL=(ALL) ALL\n"), ZUUL),
    defect(
        "sudo-group-without-password",
        written("/etc/sudoers.d/50-x", "%sudo ALL=(ALL) NOPASSWD: ALL\n"),
        ("sudo", "NOPASSWD %sudo"),
    ),
    defect(
        "sudoers-damaged",
        written("/etc/sudoers.d/50-x", "zuul ALL=(ALL NOPASSWD: ALL\n"),
        ("sudo", "/etc/sudoers.d/50-x"),
    ),
    defect(
        "root-login",
        in_file(f"{SSHD}.d/10-zuul-node.conf", "PermitRootLogin no", "PermitRootLogin yes"),
        ("sshd", "PermitRootLogin"),
    ),
    defect(
        "earlier-drop-in",
        written(f"{SSHD}.d/05-x.conf", "PasswordAuthentication yes\n"),
        ("sshd", "PasswordAuthentication"),
    ),
    defect(
        "above-the-include",
        in_file(SSHD, "Include /etc/ssh", "KbdInteractiveAuthentication yes\nInclude /etc/ssh"),
        ("sshd", "KbdInteractiveAuthentication"),
    ),
    defect(
        "match-block", appended(SSHD, "Match Address *\nPermitEmptyPasswords yes\n"), ("sshd", "PermitEmptyPasswords")
    ),
    defect("sshd-keyword", appended(SSHD, "PermitRootLogn no\n"), ("sshd", SSHD)),
    defect("lax-modes", appended(SSHD, "StrictModes no\n"), ("sshd", "StrictModes")),
    defect(
        "key-of-root",
        written("/root/.ssh/authorized_keys", f"{node.KEY}\n", 0o600),
        ("authorized-keys", f"root {OFFER}"),
    ),
    defect("weak-key", weak_key, ("authorized-keys", f"zuul {OFFER}")),
    defect(
        "key-that-nobody-knows",
        appended(KEYS, f"{node.KEY}\n"),
        ("authorized-keys", f"zuul {OFFER}"),
        access={"authorized_keys": {"fingerprints": []}},
    ),
    defect("home-writable", lambda draft: draft.chmod("/home/zuul", 0o775), ("authorized-keys", KEYS)),
    defect("keys-of-another-owner", lambda draft: draft.chown(KEYS, 1001, 1001), ("authorized-keys", KEYS)),
    defect("damaged-key", appended(KEYS, "ssh-ed25519 AAAA\n"), ("authorized-keys", KEYS)),
]
