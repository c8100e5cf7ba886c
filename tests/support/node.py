"""A small, sound node as a tree: systemd, GRUB, accounts, sudo and sshd as a Debian image has them. Tests break it."""

from diskimage_validator.engines.base import Disk, Filesystem
from tests.support import images
from tests.support.memory_engine import Entry, File, Link

UNITS = "/usr/lib/systemd/system"
CONFIG = "/etc/systemd/system"
WANTS = f"{CONFIG}/multi-user.target.wants"
SERVICE = "[Unit]\nDescription=a\n[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
STATIC = "[Service]\nExecStart=/bin/true\n"
KERNEL = "6.1.0-28-amd64"
UUID = "0000-0001"
LABEL = "cloudimg-rootfs"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHSHMhqfxYwUgQ4aKFBDgSCNvOhU3eGPPvTkBMBQBwbK zuul@factory"
FINGERPRINT = "SHA256:11GMtrHusWyBQr6ZNCsqhzZH64YfL4gOoDGRc925iXY"
KEYS = "/home/zuul/.ssh/authorized_keys"
GRUB = f"""\
set default="0"
if [ "${{next_entry}}" ] ; then
   set default="${{next_entry}}"
fi
menuentry 'Debian' --class debian $menuentry_id_option 'simple' {{
\tsearch --no-floppy --fs-uuid --set=root {UUID}
\tlinux\t/boot/vmlinuz-{KERNEL} root=LABEL={LABEL} ro console=tty0 console=ttyS0,115200
\tinitrd\t/boot/initrd.img-{KERNEL}
}}
submenu 'Advanced' $menuentry_id_option 'advanced' {{
\tmenuentry 'Debian (recovery)' $menuentry_id_option 'recovery' {{
\t\tlinux\t/boot/vmlinuz-{KERNEL} root=UUID={UUID} ro single
\t\tinitrd\t/boot/initrd.img-{KERNEL}
\t}}
}}
"""


def disk() -> Disk:
    return Disk("mbr", 4 * 1024**3, (Filesystem("/dev/sda1", "ext4", "/", LABEL, UUID, 4 * 1024**3, 3 * 1024**3),))


def tree() -> dict[str, Entry]:
    return {
        **images.debian(),
        f"{UNITS}/default.target": Link("graphical.target"),
        f"{UNITS}/graphical.target": "[Unit]\nRequires=multi-user.target\nAllowIsolate=yes\n",
        f"{UNITS}/multi-user.target": "[Unit]\nRequires=basic.target\nAllowIsolate=yes\n",
        f"{UNITS}/rescue.target": "[Unit]\nAllowIsolate=yes\n",
        f"{UNITS}/basic.target": "[Unit]\nWants=sockets.target\n",
        f"{UNITS}/sockets.target": "[Unit]\n",
        f"{UNITS}/sockets.target.wants/dbus.socket": Link("../dbus.socket"),
        f"{UNITS}/dbus.socket": "[Socket]\nListenStream=/run/dbus\n",
        f"{UNITS}/ssh.service": SERVICE + "Alias=sshd.service\n",
        f"{UNITS}/rsync.service": SERVICE,
        f"{UNITS}/debug.service": STATIC,
        f"{UNITS}/getty@.service": "[Install]\nWantedBy=getty.target\nDefaultInstance=tty1\n",
        f"{CONFIG}/sshd.service": Link(f"{UNITS}/ssh.service"),
        f"{WANTS}/ssh.service": Link(f"{UNITS}/ssh.service"),
        f"{CONFIG}/hwclock.service": Link("/dev/null"),
        "/etc/machine-id": "",
        "/boot/grub/grub.cfg": GRUB,
        f"/boot/vmlinuz-{KERNEL}": b"kernel",
        f"/boot/initrd.img-{KERNEL}": b"initrd",
        f"/usr/lib/modules/{KERNEL}/modules.dep": "",
        "/lib": Link("usr/lib"),
        "/etc/fstab": f"# comment\nLABEL={LABEL} / ext4 defaults 0 1\n",
        "/etc/sudoers": File(b"root ALL=(ALL:ALL) ALL\n%sudo ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n", 0o440),
        "/etc/sudoers.d/90-zuul": File(b"zuul ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440),
        "/etc/ssh/sshd_config": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\nSubsystem sftp internal-sftp\n",
        "/etc/ssh/sshd_config.d/10-node.conf": "PasswordAuthentication no\nPermitRootLogin no\n",
        "/home/zuul/.profile": "",
        KEYS: File(f"{KEY}\n".encode(), 0o600),
    }
