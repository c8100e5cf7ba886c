"""Configuration files of an EL9 node, as its packages and this project's elements leave them."""

from tests.support.rpm_packages import KERNEL

KERNEL_RELEASE = f"{KERNEL}.x86_64"
MACHINE_ID = "4b5f4d2c4f3f4e1f9d5e0c1a2b3c4d5e"

OS_RELEASE = """\
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
"""
PASSWD = """\
root:x:0:0:root:/root:/bin/bash
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
nobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin
sshd:x:74:74:Privilege-separated SSH:/usr/share/empty.sshd:/sbin/nologin
zuul:x:1000:1000:Zuul:/home/zuul:/bin/bash
"""
SHADOW = "".join(
    f"{name}:{password}:19700:0:99999:7:::\n"
    for name, password in {"root": "!!", "bin": "*", "daemon": "*", "nobody": "*", "sshd": "!!", "zuul": "!!"}.items()
)
GROUP = """\
root:x:0:
bin:x:1:
daemon:x:2:
wheel:x:10:
sshd:x:74:
zuul:x:1000:
nobody:x:65534:
"""
SUDOERS = """\
Defaults   !visiblepw
Defaults    env_reset
Defaults    secure_path = /sbin:/bin:/usr/sbin:/usr/bin
root\tALL=(ALL) \tALL
#includedir /etc/sudoers.d
"""
SSHD_CONFIG = """\
Include /etc/ssh/sshd_config.d/*.conf
AuthorizedKeysFile .ssh/authorized_keys
Subsystem sftp /usr/libexec/openssh/sftp-server
"""
NODE_SSHD_CONFIG = """\
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UseDNS no
"""
AUTHORIZED_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAabcdefghijklmnopqrstuvwxyz0123456789ABCDEF zuul@example.org\n"
FSTAB = "LABEL=cloudimg-rootfs\t/\txfs\tdefaults\t0 1\n"
BOOT_ENTRY = f"""\
title Rocky Linux ({KERNEL_RELEASE}) 9.4 (Blue Onyx)
version {KERNEL_RELEASE}
linux /boot/vmlinuz-{KERNEL_RELEASE}
initrd /boot/initramfs-{KERNEL_RELEASE}.img
options root=LABEL=cloudimg-rootfs ro console=tty0 console=ttyS0,115200
"""
GRUBENV = f"# GRUB Environment Block\nsaved_entry={MACHINE_ID}-{KERNEL_RELEASE}\n"
GRUB_CFG = """\
set timeout=1
insmod blscfg
blscfg
"""
DNF_CONF = "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\n"
REPO = "".join(
    f"[{name}]\nname=Rocky Linux $releasever - {name}\n"
    f"baseurl=https://mirror.internal/rocky/$releasever/{name}/$basearch/os/\n"
    "gpgcheck=1\nenabled=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9\n\n"
    for name in ("BaseOS", "AppStream")
)
REGISTRIES_CONF = """\
unqualified-search-registries = ["registry.internal:5000"]
short-name-mode = "enforcing"
"""
POLICY_JSON = '{"default": [{"type": "insecureAcceptAnything"}]}\n'
STORAGE_CONF = (
    '[storage]\ndriver = "overlay"\ngraphroot = "/var/lib/containers/storage"\nrunroot = "/run/containers/storage"\n'
)
CLOUD_CFG = """\
users: []
disable_root: true
ssh_pwauth: false
growpart: {mode: auto, devices: ["/"]}
resize_rootfs: true
cloud_init_modules: [seed_random, growpart, resizefs, ssh]
"""
UNITS = {
    "sshd.service": "[Service]\nExecStart=/usr/sbin/sshd -D\n[Install]\nWantedBy=multi-user.target\n",
    "cloud-init.service": "[Service]\nExecStart=/usr/bin/cloud-init init\n[Install]\nWantedBy=cloud-init.target\n",
    "dbus-broker.service": "[Service]\nExecStart=/usr/bin/dbus-broker-launch\n[Install]\nAlias=dbus.service\n",
    "dbus.socket": "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    "systemd-networkd.service": (
        "[Service]\nExecStart=/usr/lib/systemd/systemd-networkd\n[Install]\nWantedBy=multi-user.target\n"
    ),
    "podman.socket": "[Socket]\nListenStream=%t/podman/podman.sock\n[Install]\nWantedBy=sockets.target\n",
    "podman.service": "[Unit]\nRequires=podman.socket\n[Service]\nExecStart=/usr/bin/podman system service\n",
    "multi-user.target": "[Unit]\nDescription=Multi-User System\n[Install]\nAlias=default.target\n",
    "cloud-init.target": "[Unit]\nDescription=Cloud-init target\n[Install]\nWantedBy=multi-user.target\n",
    "sockets.target": "[Unit]\nDescription=Socket Units\n",
    "serial-getty@.service": "[Service]\nExecStart=-/sbin/agetty %I\n[Install]\nWantedBy=getty.target\n",
    "getty.target": "[Unit]\nDescription=Login Prompts\n",
}
ENABLED = (
    "multi-user.target.wants/sshd.service",
    "multi-user.target.wants/systemd-networkd.service",
    "cloud-init.target.wants/cloud-init.service",
    "sockets.target.wants/podman.socket",
)
