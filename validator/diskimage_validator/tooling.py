"""What people look for first in a node image: the packages and commands of container tooling, by all their names."""

from typing import Final

COMMANDS: Final = frozenset({"buildah", "docker", "jq", "podman", "python3", "qemu-img", "skopeo", "sshd", "sudo"})
"""Looked up whatever the policy asks, so that a dump serves other policies too."""

PACKAGES: Final = (
    "buildah",
    "ca-certificates",
    "cloud-init",
    "containerd",
    "containerd.io",
    "crun",
    "docker-buildx",
    "docker-buildx-plugin",
    "docker-ce",
    "docker.io",
    "glean",
    "jq",
    "moby-engine",
    "nftables",
    "openssh-server",
    "podman",
    "python3",
    "qemu-img",
    "qemu-tools",
    "qemu-utils",
    "runc",
    "skopeo",
    "sudo",
    "systemd",
)
