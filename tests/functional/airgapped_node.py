"""Boot an image inside the air gap and do on the node what a job does there. Runs as the command of airgap-proof.

    python -m tests.functional.airgapped_node IMAGE KEY FOLDER

Status 0 if all of it worked and a connection to anywhere else failed; else a traceback with the command that did not.
"""

import sys
from pathlib import Path

from tests.functional.machine import Machine, boot

REGISTRY = "registry.internal:5000"
BASE = f"{REGISTRY}/base/busybox:1"
MIRROR = "https://mirror.internal"
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
    print("connected")
except OSError:
    print("refused")
"""


def work(machine: Machine) -> None:
    """Use every service that the node was given, with nothing but what is baked into it."""
    assert '"Architecture": "amd64"' in machine.run(f"skopeo inspect docker://{BASE}")
    machine.run(f"skopeo copy docker://{BASE} docker://{REGISTRY}/copied/busybox:1")
    machine.run(f"mkdir -p app && printf 'FROM {BASE}\\nRUN echo built > /proof\\n' > app/Containerfile")
    machine.run(f"sudo buildah build --isolation chroot -t {REGISTRY}/built/app:1 app", timeout=300)
    machine.run(f"sudo buildah push {REGISTRY}/built/app:1", timeout=300)
    # A short name leads to the internal registry, and only there.
    assert machine.run("sudo podman pull --quiet base/busybox:1", timeout=300)
    machine.run("sudo apt-get -o APT::Update::Error-Mode=any update", timeout=300)
    machine.run("python3 -m venv venv && venv/bin/pip download --no-deps --dest wheels six", timeout=300)
    assert "refs/heads/main" in machine.run(f"git ls-remote {MIRROR}/git/example.git")
    for host, port in (("192.0.2.7", 443), ("203.0.113.9", 8080), ("updates.example", 443)):
        assert machine.run(f"python3 -c '{CONNECT}' {host} {port}") == "refused"
    assert machine.run(f"python3 -c '{CONNECT}' mirror.internal 443") == "connected"


def main() -> None:
    """Boot, work, power off."""
    image, key, folder = (Path(argument) for argument in sys.argv[1:])
    with boot(image, folder, user="zuul", key=key, closed=False) as machine:
        work(machine)


if __name__ == "__main__":
    main()
