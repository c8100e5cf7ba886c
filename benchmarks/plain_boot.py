"""Boot an image in QEMU without changing it, and end when it shows its login prompt: what nobody can be faster than.

python -m benchmarks.plain_boot IMAGE kvm|tcg
"""

import os
import select
import subprocess
import sys
import time

TIMEOUT = 600.0
MEMORY = "2048"
NETWORK = "user,model=virtio-net-pci,restrict=on"


def boots(image: str, accelerator: str) -> bool:
    """Boot and return whether there was a login prompt. The disk is a throw-away snapshot; DHCP leads nowhere.

    Without any network the node would wait for one, which is not what a boot costs.
    """
    command = ["qemu-system-x86_64", "-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", MEMORY, "-nic", NETWORK]
    command += ["-drive", f"file={image},format=qcow2,if=virtio,snapshot=on", "-display", "none", "-no-reboot"]
    command += ["-monitor", "none", "-serial", "stdio"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    said = b""
    deadline = time.monotonic() + TIMEOUT
    try:
        while b"login:" not in said:
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(process.stdout.fileno(), 65536) if ready else b""
            if not data:
                return False
            said = said[-1000:] + data
        return True
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(0 if boots(*sys.argv[1:]) else "no login prompt")
