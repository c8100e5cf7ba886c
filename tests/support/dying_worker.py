"""A worker of the fleet that is killed, as the kernel kills for want of memory, when it reads a certain target."""

import os
import signal
from typing import Any

from diskimage_validator import worker
from diskimage_validator.facts import Facts
from diskimage_validator.runner import inspect


def inspect_or_die(target: str, **options: Any) -> Facts:
    if target.endswith("/fedora"):
        os.kill(os.getpid(), signal.SIGKILL)
    return inspect(target, **options)


if __name__ == "__main__":
    vars(worker)["inspect"] = inspect_or_die
    worker.main()
