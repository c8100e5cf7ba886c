"""No file gives more rights than distributions give: setuid and setgid, writable by everybody, device nodes.

A program that is setuid or setgid and not one of those that distributions install so is a way to become root that
somebody added. A file or folder that everybody may write to lets any user change what others run or read; a folder
needs the sticky bit, as ``/tmp`` has it. A device node outside ``/dev`` goes around the permissions of the one in
there.

The programs that Debian, Ubuntu, the RHEL family and SUSE install with these bits are known to this check;
``setuid_allowed`` adds yours, ``world_writable_allowed`` what everybody may write to, both as patterns of paths. Not
looked at are ``/dev``, ``/proc``, ``/sys`` and ``/run``, which something else is mounted on, and the storage of
container engines. File capabilities (capabilities(7)) are not seen: they are extended attributes, which engines do
not read.

.. rubric:: Example

With this policy::

    hygiene:
      file_modes: true
      setuid_allowed:
        - /opt/vendor/bin/agent-helper

an image passes whose setuid programs are ``/usr/bin/sudo``, ``/usr/bin/passwd`` and ``/opt/vendor/bin/agent-helper``.

An image fails with a setuid ``/usr/local/bin/bash``, or with a ``/etc/profile.d`` of mode 0777.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import not_all_listed
from diskimage_validator.facts import known
from diskimage_validator.facts.file_modes import Special
from diskimage_validator.globs import matches
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.hygiene import HygieneRules

ID: Final = "hygiene-file-modes"
TITLE: Final = "File modes"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("file_modes",)

_NAMES: Final = (
    "at|bwrap|chage|chfn|chsh|cockpit-session|crontab|doas|dotlockfile|dotlock.mailutils|expiry|fusermount|fusermount3|"
    "gpasswd|gnome-pty-helper|ksu|locate|mail-lock|mail-touchlock|mail-unlock|mlocate|mount|mount.cifs|mount.ecryptfs_private|"
    "mount.nfs|newgidmap|newgrp|newuidmap|ntfs-3g|pam_extrausers_chkpwd|pam_timestamp_check|passwd|ping|ping6|pkexec|"
    "plocate|postdrop|postlog|postqueue|pppd|grub2-set-bootflag|screen|sg|ssh-agent|su|sudo|sudo-rs|sudoedit|traceroute6|"
    "traceroute6.iputils|umount|unix2_chkpwd|unix_chkpwd|usernetctl|userhelper|utempter|vlock-main|wall|write|write.ul|"
    "bsd-write|wodim|Xorg.wrap|exim4|sendmail.sendmail|lockdev|staprun|mtr-packet|clockdiff|fping"
)
KNOWN: Final = (
    *(f"{folder}/{name}" for name in _NAMES.split("|") for folder in ("/usr/bin", "/usr/sbin", "/bin", "/sbin")),
    "/usr/lib*/openssh/ssh-keysign",
    "/usr/libexec/openssh/ssh-keysign",
    "/usr/libexec/ssh/ssh-keysign",
    "/usr/lib*/ssh/ssh-keysign",
    "/usr/lib*/dbus-1*/dbus-daemon-launch-helper",
    "/usr/libexec/dbus-1*/dbus-daemon-launch-helper",
    "/usr/libexec/dbus-daemon-launch-helper",
    "/usr/lib*/polkit-1/polkit-agent-helper-1",
    "/usr/lib*/policykit-1/polkit-agent-helper-1",
    "/usr/libexec/polkit-1/polkit-agent-helper-1",
    "/usr/libexec/polkit-agent-helper-1",
    "/usr/lib*/**/utempter/utempter",
    "/usr/lib*/utempter/utempter",
    "/usr/libexec/utempter/utempter",
    "/usr/libexec/sssd/*",
    "/usr/lib*/sssd/*",
    "/usr/libexec/sudo/sesh",
    "/usr/libexec/camel-lock-helper-*",
    "/usr/libexec/postfix/*",
    "/usr/lib*/postfix/sbin/*",
    "/usr/lib*/snapd/snap-confine",
    "/usr/lib*/eject/dmcrypt-get-device",
    "/usr/lib*/xorg/Xorg.wrap",
    "/usr/libexec/Xorg.wrap",
    "/usr/libexec/qemu-bridge-helper",
    "/usr/lib*/qemu/qemu-bridge-helper",
    "/usr/libexec/abrt-action-install-debuginfo-to-abrt-cache",
    "/usr/libexec/cockpit-session",
    "/usr/lib*/cockpit/cockpit-session",
    "/usr/lib*/virtualbox/*",
    "/usr/lib*/mc/cons.saver",
)
"""What the distributions of the support matrix install setuid or setgid, as patterns of paths."""
_EXPECTED: Final = {
    "setuid": "not setuid, or allowed",
    "setgid": "not setgid, or allowed",
    "world-writable": "not writable by everybody",
    "device": "no device node outside /dev",
}
_HINTS: Final = {
    "setuid": "chmod u-s, or add it to hygiene.setuid_allowed",
    "setgid": "chmod g-s, or add it to hygiene.setuid_allowed",
    "world-writable": "chmod o-w (a folder like /tmp: chmod +t), or add it to hygiene.world_writable_allowed",
    "device": "remove it",
}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.file_modes


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every entry that is not allowed, or one pass."""
    modes = known(question.facts.file_modes)
    refused = [entry for entry in modes.special if not _is_allowed(entry, question.rules.hygiene)]
    for entry in refused:
        message = f"{entry.kind}: mode {entry.mode:04o}, owner {entry.uid}:{entry.gid}"
        expected, hint = _EXPECTED[entry.kind], _HINTS[entry.kind]
        yield Finding(entry.path, Status.FAIL, message, expected, f"{entry.mode:04o}", hint, entry.path)
    yield from not_all_listed("file modes", len(modes.special), modes.count, "nothing that stands out")
    if not refused and modes.count == len(modes.special):
        message = f"{modes.count} files have special modes, all of them known or allowed"
        yield Finding("file modes", Status.PASS, message, "nothing that stands out", "nothing")


def _is_allowed(entry: Special, rules: HygieneRules) -> bool:
    if entry.kind in ("setuid", "setgid"):
        return matches(entry.path, KNOWN) or matches(entry.path, rules.setuid_allowed)
    return entry.kind == "world-writable" and matches(entry.path, rules.world_writable_allowed)
