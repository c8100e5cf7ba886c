"""Start a libguestfs appliance, whatever the host's KVM is worth.

``/dev/kvm`` can be there and still be unusable (nested virtualisation, containers): the accelerated appliance then dies
at once or hangs. So every launch is watched, and what does not come up under KVM is started again under TCG, QEMU's
software emulation, which takes some seconds longer and always works. A TCG launch that died is repeated once: about one
in thirty is killed by an assertion in QEMU and passes the second time.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from diskimage_validator.engines.binding import load_guestfs
from diskimage_validator.errors import EngineError

KVM: Final = Path("/dev/kvm")
KVM_TIMEOUT: Final = 60.0
TCG_TIMEOUT: Final = 300.0

Progress = Callable[[str], None]


def launch(add_drives: Callable[[Any], None], *, progress: Progress | None = None) -> tuple[Any, list[str]]:
    """Start an appliance and return (handle, notes).

    ``add_drives`` is given each new handle and adds its drives. ``handle`` is a launched ``guestfs.GuestFS`` that
    returns dictionaries. ``notes`` say what did not work on the way. Raises EngineError when nothing does.
    """
    notes: list[str] = []
    problems: list[str] = []
    for settings, timeout, label in _attempts():
        if progress:
            progress(f"starting the libguestfs appliance ({label})")
        try:
            handle = _launch_once(add_drives, settings, timeout)
        except RuntimeError as error:
            problems.append(f"{label}: {_first_line(error)}")
            continue
        if problems:
            notes.append(f"the appliance runs with {label}, after: {'; '.join(problems)}")
        return handle, notes
    raise EngineError(
        f"the libguestfs appliance does not start: {'; '.join(problems)}",
        "run 'diskimage-validator doctor': it names what is missing on this host",
    )


def _attempts() -> list[tuple[list[str], float, str]]:
    """Return (backend settings, seconds, label) in the order to try. The user's own settings are the only attempt."""
    if stated := os.environ.get("LIBGUESTFS_BACKEND_SETTINGS"):
        return [(stated.split(":"), TCG_TIMEOUT, f"LIBGUESTFS_BACKEND_SETTINGS={stated}")]
    tcg = (["force_tcg"], TCG_TIMEOUT, "TCG")
    if os.access(KVM, os.R_OK | os.W_OK):
        return [(["force_kvm"], KVM_TIMEOUT, "KVM"), tcg, tcg]
    return [tcg, tcg]


def _launch_once(add_drives: Callable[[Any], None], settings: list[str], timeout: float) -> Any:
    handle = load_guestfs().GuestFS(python_return_dict=True)
    try:
        # The direct back end needs no libvirt daemon, which would also want its own rights to the image.
        handle.set_backend("direct")
        handle.set_backend_settings(settings)
        add_drives(handle)
        with _killed_after(timeout):
            handle.launch()
    except BaseException:
        handle.close()
        raise
    return handle


@contextmanager
def _killed_after(seconds: float) -> Iterator[None]:
    """Kill the QEMU processes that this process starts inside the block, if the block takes longer than ``seconds``.

    A hanging appliance blocks inside the library, where no Python exception reaches; the death of its QEMU does.
    """
    before = _qemu_children()
    timer = threading.Timer(seconds, lambda: _kill(_qemu_children() - before))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _qemu_children() -> set[int]:
    """Return the process ids of this process' direct children whose program is a QEMU (proc(5))."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):
            for pid in (task / "children").read_text().split():
                if "qemu" in Path(f"/proc/{pid}/comm").read_text():
                    found.add(int(pid))
    return found


def _kill(pids: set[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _first_line(error: Exception) -> str:
    """Return the telling part of a libguestfs error: its first line, without the advice on debugging."""
    return str(error).splitlines()[0].removesuffix(".") if str(error) else type(error).__name__
