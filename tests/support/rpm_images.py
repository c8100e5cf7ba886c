"""A small, sound image of the RHEL family, as EL9 lays it out: a tree for MemoryEngine, and the same on disk.

It satisfies the shipped policy ``container-node`` with its CA ``internal_ca()`` trusted. Tests take a copy and break
it; mutations run on it, too.
"""

from collections.abc import Mapping
from pathlib import Path

from tests.support import pki
from tests.support.elf_files import library, linked
from tests.support.memory_engine import Broken, Entry, File, Folder, Link
from tests.support.rpm_packages import KERNEL, database

OS_RELEASE = """\
NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
PLATFORM_ID="platform:el9"
PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"
"""
BUNDLE = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
ANCHOR = "/etc/pki/ca-trust/source/anchors/internal-ca.pem"
SHIPPED = "/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit"
PROGRAMS = ("bash", "buildah", "jq", "podman", "python3.9", "qemu-img", "rpm", "skopeo")
KERNEL_RELEASE = f"{KERNEL}.x86_64"
MACHINE_ID = "4b5f4d2c4f3f4e1f9d5e0c1a2b3c4d5e"

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
    "podman.socket": "[Socket]\nListenStream=%t/podman/podman.sock\n[Install]\nWantedBy=sockets.target\n",
    "podman.service": "[Unit]\nRequires=podman.socket\n[Service]\nExecStart=/usr/bin/podman system service\n",
    "multi-user.target": "[Unit]\nDescription=Multi-User System\n[Install]\nAlias=default.target\n",
    "cloud-init.target": "[Unit]\nDescription=Cloud-init target\n[Install]\nWantedBy=multi-user.target\n",
    "sockets.target": "[Unit]\nDescription=Socket Units\n",
    "serial-getty@.service": "[Service]\nExecStart=-/sbin/agetty %I\n[Install]\nWantedBy=getty.target\n",
    "getty.target": "[Unit]\nDescription=Login Prompts\n",
}
ENABLED = {
    "multi-user.target": "sshd.service",
    "cloud-init.target": "cloud-init.service",
    "sockets.target": "podman.socket",
}


def internal_ca() -> bytes:
    return pki.pem(pki.certificate("Internal CA"))


def _shipped() -> bytes:
    """Return the distribution's own CAs as p11-kit keeps them: attributes around PEM blocks."""
    names = ("Public Root", "Another Public Root")
    blocks = [
        b'[p11-kit-object-v1]\nlabel: "' + name.encode() + b'"\ntrusted: true\n' + _public(name) for name in names
    ]
    return b"\n".join(blocks)


def _public(name: str) -> bytes:
    return pki.pem(pki.certificate(name))


def _trust() -> dict[str, Entry]:
    bundle = _public("Public Root") + _public("Another Public Root") + internal_ca()
    return {
        ANCHOR: internal_ca(),
        SHIPPED: _shipped(),
        BUNDLE: File(bundle, 0o444),
        "/etc/pki/ca-trust/extracted/pem/email-ca-bundle.pem": File(bundle, 0o444),
        "/etc/pki/ca-trust/source/README": "This directory holds local CAs.\n",
        "/etc/pki/tls/cert.pem": Link("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
        "/etc/pki/tls/certs/ca-bundle.crt": Link("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
        "/etc/ssl/certs": Link("../pki/tls/certs"),
        "/etc/ssl/cert.pem": Link("/etc/pki/tls/cert.pem"),
    }


def _programs() -> dict[str, Entry]:
    program = File(linked("libc.so.6"), 0o755)
    tree: dict[str, Entry] = {f"/usr/bin/{name}": program for name in PROGRAMS}
    tree |= {
        f"/usr/{path}": program
        for path in (
            "sbin/sshd",
            "bin/cloud-init",
            "bin/growpart",
            "sbin/resize2fs",
            "sbin/xfs_growfs",
            "sbin/agetty",
            "lib/systemd/systemd",
        )
    }
    return tree | {
        "/bin": Link("usr/bin"),
        "/sbin": Link("usr/sbin"),
        "/lib": Link("usr/lib"),
        "/lib64": Link("usr/lib64"),
        "/usr/lib64/libc.so.6": File(library("libc.so.6"), 0o755),
        "/usr/lib64/ld-linux-x86-64.so.2": File(library("ld-linux-x86-64.so.2"), 0o755),
        "/etc/ld.so.conf": "include ld.so.conf.d/*.conf\n",
        "/usr/bin/sh": Link("bash"),
        "/usr/bin/python3": Link("python3.9"),
        "/usr/bin/sudo": File(linked("libc.so.6"), 0o4111),
        "/usr/sbin/init": Link("../lib/systemd/systemd"),
        "/usr/lib/python3.9/os.py": "",
        "/usr/lib/python3.9/site-packages/README.txt": "",
    }


def _accounts() -> dict[str, Entry]:
    return {
        "/etc/passwd": PASSWD,
        "/etc/group": GROUP,
        "/etc/shadow": File(SHADOW.encode(), 0o000),
        "/etc/gshadow": File(b"root:::\nzuul:!::\n", 0o000),
        "/etc/subuid": "zuul:100000:65536\n",
        "/etc/subgid": "zuul:100000:65536\n",
        "/etc/sudoers": File(SUDOERS.encode(), 0o440),
        "/etc/sudoers.d": Folder(0o750),
        "/etc/sudoers.d/zuul": File(b"zuul ALL=(ALL) NOPASSWD:ALL\n", 0o440),
        "/etc/ssh/sshd_config": File(SSHD_CONFIG.encode(), 0o600),
        "/etc/ssh/sshd_config.d": Folder(0o700),
        "/etc/ssh/sshd_config.d/10-zuul-node.conf": File(NODE_SSHD_CONFIG.encode(), 0o600),
        "/home/zuul": Folder(0o700),
        "/home/zuul/.ssh": Folder(0o700),
        "/home/zuul/.ssh/authorized_keys": File(AUTHORIZED_KEY.encode(), 0o600),
        "/root": Folder(0o550),
    }


def _boot() -> dict[str, Entry]:
    modules = f"/usr/lib/modules/{KERNEL_RELEASE}"
    return {
        "/etc/fstab": FSTAB,
        f"/boot/vmlinuz-{KERNEL_RELEASE}": File(b"kernel", 0o755),
        f"/boot/initramfs-{KERNEL_RELEASE}.img": File(b"initramfs", 0o600),
        f"/boot/config-{KERNEL_RELEASE}": "CONFIG_XFS_FS=m\n",
        f"/boot/loader/entries/{MACHINE_ID}-{KERNEL_RELEASE}.conf": BOOT_ENTRY,
        "/boot/grub2/grub.cfg": File(GRUB_CFG.encode(), 0o600),
        "/boot/grub2/grubenv": File(f"# GRUB Environment Block\nsaved_entry={MACHINE_ID}-{KERNEL_RELEASE}\n".encode()),
        "/etc/default/grub": 'GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"\nGRUB_ENABLE_BLSCFG=true\n',
        f"{modules}/vmlinuz": File(b"kernel", 0o755),
        f"{modules}/modules.dep": "kernel/fs/xfs/xfs.ko.xz:\n",
        f"{modules}/modules.builtin": "kernel/fs/ext4/ext4.ko\n",
        f"{modules}/kernel/fs/xfs/xfs.ko.xz": b"module",
    }


def _units() -> dict[str, Entry]:
    tree: dict[str, Entry] = {f"/usr/lib/systemd/system/{name}": text for name, text in UNITS.items()}
    for target, name in ENABLED.items():
        tree[f"/etc/systemd/system/{target}.wants/{name}"] = Link(f"/usr/lib/systemd/system/{name}")
    serial = "/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service"
    tree[serial] = Link("/usr/lib/systemd/system/serial-getty@.service")
    tree["/etc/systemd/system/default.target"] = Link("/usr/lib/systemd/system/multi-user.target")
    tree["/usr/lib/systemd/system-preset/90-default.preset"] = "enable sshd.service\nenable cloud-init.service\n"
    return tree


def _configuration() -> dict[str, Entry]:
    return {
        "/etc/os-release": Link("../usr/lib/os-release"),
        "/usr/lib/os-release": OS_RELEASE,
        "/etc/redhat-release": "Rocky Linux release 9.4 (Blue Onyx)\n",
        "/etc/hostname": "localhost\n",
        "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "/etc/machine-id": "",
        "/etc/resolv.conf": "",
        "/etc/chrony.conf": "pool ntp.internal iburst\ndriftfile /var/lib/chrony/drift\n",
        "/etc/dnf/dnf.conf": DNF_CONF,
        "/etc/yum.repos.d/rocky.repo": REPO,
        "/etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n",
        "/etc/containers/registries.conf": REGISTRIES_CONF,
        "/etc/containers/policy.json": POLICY_JSON,
        "/etc/containers/storage.conf": STORAGE_CONF,
        "/etc/cloud/cloud.cfg": CLOUD_CFG,
        "/tmp": Folder(0o1777),
        "/var/tmp": Folder(0o1777),
        "/var/log": Folder(),
        "/var/cache/dnf": Folder(),
        "/var/lib/containers": Folder(),
        "/run": Folder(),
        "/proc": Folder(0o555),
        "/sys": Folder(0o555),
        "/dev": Folder(),
    }


def rhel(backend: str = "sqlite") -> dict[str, Entry]:
    """Return the tree, with its packages in a database of the format ``sqlite``, ``ndb`` or ``bdb``."""
    return _configuration() | _trust() | _programs() | _accounts() | _boot() | _units() | database(backend)


def lay_out(tree: Mapping[str, Entry], folder: Path) -> Path:
    """Write ``tree`` below ``folder``, owned by whoever runs the test, and return ``folder``."""
    folders: dict[Path, int] = {}
    for name, entry in tree.items():
        path = folder / name.lstrip("/")
        if isinstance(entry, Folder):
            path.mkdir(parents=True, exist_ok=True)
            folders[path] = entry.mode
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Link):
            path.symlink_to(entry.text)
            continue
        assert not isinstance(entry, Broken), "a disk keeps what it is given"
        file = entry if isinstance(entry, File) else File(entry.encode() if isinstance(entry, str) else entry)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    for path, mode in folders.items():
        path.chmod(mode)
    return folder
