"""Start a libguestfs appliance, whatever the host's KVM is worth.

``/dev/kvm`` can be there and still be unusable (nested virtualisation, containers): the accelerated appliance then dies
at once or hangs. So every launch is watched, and what does not come up under KVM is started again under TCG, QEMU's
software emulation, which takes some seconds longer and always works. That is remembered (``kvm.py``), and KVM left out
for a while. A TCG launch that died is repeated once: about one in thirty is killed by an assertion in QEMU and passes
the second time.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from diskimage_validator.engines import kvm
from diskimage_validator.engines.binding import load_guestfs
from diskimage_validator.errors import EngineError

KVM: Final = Path("/dev/kvm")
KVM_TIMEOUT: Final = 60.0
TCG_TIMEOUT: Final = 300.0

KVM_LABEL: Final = "KVM"

Progress = Callable[[str], None]
Attempt = tuple[list[str], float, str]
"""Settings of the back end, seconds, and what it is called."""


def launch(add_drives: Callable[[Any], None], *, progress: Progress | None = None) -> tuple[Any, list[str]]:
    """Start an appliance and return (handle, notes).

    ``add_drives`` is given each new handle and adds its drives. ``handle`` is a launched ``guestfs.GuestFS`` that
    returns dictionaries. ``notes`` say what did not work on the way. Raises EngineError when nothing does.
    """
    attempts, notes = _attempts()
    problems: dict[str, str] = {}
    for settings, timeout, label in attempts:
        if progress:
            progress(f"starting the libguestfs appliance ({label})")
        try:
            handle = _launch_once(add_drives, settings, timeout)
        except RuntimeError as error:
            problems[label] = _first_line(error)
            continue
        if problems:
            notes.append(f"the appliance runs with {label}, after: {_listed(problems)}")
        if label == KVM_LABEL:
            kvm.forget()
        elif KVM_LABEL in problems:
            kvm.remember(problems[KVM_LABEL])
        return handle, notes
    raise EngineError(
        f"the libguestfs appliance does not start: {_listed(problems)}",
        "run 'diskimage-validator doctor': it names what is missing on this host",
    )


def _attempts() -> tuple[list[Attempt], list[str]]:
    """Return what to try, in this order, and notes on what is left out. The user's settings are the only attempt."""
    if stated := os.environ.get("LIBGUESTFS_BACKEND_SETTINGS"):
        return [(stated.split(":"), TCG_TIMEOUT, f"LIBGUESTFS_BACKEND_SETTINGS={stated}")], []
    tcg: list[Attempt] = [(["force_tcg"], TCG_TIMEOUT, "TCG"), (["force_tcg"], TCG_TIMEOUT, "TCG, second attempt")]
    if not os.access(KVM, os.R_OK | os.W_OK):
        return tcg, []
    if reason := kvm.remembered():
        return tcg, [f"the appliance runs without KVM, which did not work earlier on this host: {reason}"]
    return [(["force_kvm"], KVM_TIMEOUT, KVM_LABEL), *tcg], []


def _listed(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{label}: {problem}" for label, problem in problems.items())


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
