"""Boot an image in QEMU without changing it, and end when it shows its login prompt: what nobody can be faster than.

python -m benchmarks.plain_boot IMAGE kvm|tcg COUNTDOWN

COUNTDOWN is what GRUB says while it waits for somebody who chooses: Enter is pressed then, once, as the boot engine
does. What is left of the difference between the two is what the engine adds.
"""

import os
import select
import socket
import subprocess
import sys
import time

TIMEOUT = 600.0
MEMORY = "2048"
NETWORK = "user,model=virtio-net-pci,restrict=on"
ENTER = b"sendkey ret\n"
"""To QEMU's monitor: qemu(1), QEMU Monitor."""


def boots(image: str, accelerator: str, countdown: str) -> bool:
    """Boot and return whether there was a login prompt. The disk is a throw-away snapshot; DHCP leads nowhere.

    Without any network the node would wait for one, which is not what a boot costs.
    """
    ours, theirs = socket.socketpair()
    command = ["qemu-system-x86_64", "-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", MEMORY, "-nic", NETWORK]
    command += ["-drive", f"file={image},format=qcow2,if=virtio,snapshot=on", "-display", "none", "-no-reboot"]
    command += ["-chardev", f"socket,id=monitor,fd={theirs.fileno()}", "-mon", "chardev=monitor", "-serial", "stdio"]
    with ours, theirs:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        try:
            return _reaches_login(process, countdown.encode(), ours)
        finally:
            process.kill()
            process.wait()


def _reaches_login(process: "subprocess.Popen[bytes]", countdown: bytes, monitor: socket.socket) -> bool:
    assert process.stdout is not None
    said = b""
    deadline = time.monotonic() + TIMEOUT
    has_pressed = False
    while b"login:" not in said:
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not data:
            return False
        said = said[-1000:] + data
        if not has_pressed and countdown in said:
            has_pressed = True
            monitor.sendall(ENTER)
    return True


if __name__ == "__main__":
    sys.exit(0 if boots(*sys.argv[1:]) else "no login prompt")
