"""Start a libguestfs appliance, whatever the host's KVM is worth.

``/dev/kvm`` can be there and still be unusable (nested virtualisation, containers): the accelerated appliance then dies
at once or hangs. So every launch is watched, and what does not come up under KVM is started again under TCG, QEMU's
software emulation, which takes some seconds longer and always works. That is remembered (``kvm.py``), and KVM left out
for a while. A TCG launch that died or hangs is repeated once: about one in thirty is killed by an assertion in QEMU and
passes the second time.
"""

import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from diskimage_validator.engines import kvm
from diskimage_validator.engines.binding import load_guestfs
from diskimage_validator.engines.stall import killed_if_it_hangs
from diskimage_validator.engines.stand_in import last_words, stand_in
from diskimage_validator.errors import EngineError
from diskimage_validator.temporary import TemporaryFolder

KVM: Final = Path("/dev/kvm")
KVM_TIMEOUT: Final = 60.0
TCG_TIMEOUT: Final = 300.0
COMPUTING: Final = 120.0
"""Seconds of processor time after which a start turns in circles. It takes ten without KVM."""
QEMU: Final = "qemu"
"""What the names of QEMU's programs have in common."""
KERNEL: Final = "init_on_alloc=0 norandmaps initcall_blacklist=cmos_init module_blacklist=ata_piix"
"""What the appliance's kernel is told under TCG (kernel-parameters.txt). The first two are worth a tenth of the time
there each. Else it fills every page that it hands out with zeros, for the sake of secrets in old ones, and here are
none. And it gives every process other addresses, so that QEMU translates the same libraries anew for each. That would
protect one process from what another reads; here all of them read the same disk, as root, and it is the machine
around them that keeps it in.

The others spare it two waits, a seventh of a start. udev has hwclock(8) set the time by every real-time clock, for
which that waits until a second begins, though the kernel has read the time itself, without the driver. And the driver
of an IDE controller, to which libguestfs connects nothing, gives disks a tenth of a second to answer."""

KVM_LABEL: Final = "KVM"
FORCE_TCG: Final = "force_tcg"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Attempt:
    """``settings`` of the back end, seconds, and what it is called.

    ``listens``: a program of ours stands in for QEMU, to hear it, and the kernel is told KERNEL; ``unpacks``: the
    program unpacks the kernel, too.
    """

    settings: Sequence[str]
    timeout: float
    label: str
    listens: bool = True
    unpacks: bool = False


def launch(add_drives: Callable[[Any], None], *, progress: Progress | None = None) -> tuple[Any, list[str]]:
    """Start an appliance and return (handle, notes).

    ``add_drives`` is given each new handle and adds its drives. ``handle`` is a launched ``guestfs.GuestFS`` that
    returns dictionaries. ``notes`` say what did not work on the way. Raises EngineError when nothing does.
    """
    attempts, notes = _attempts()
    problems: dict[str, str] = {}
    for attempt in attempts:
        label = attempt.label
        if progress:
            progress(f"starting the libguestfs appliance ({label})")
        try:
            handle = _launch_once(add_drives, attempt)
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
    """Return what to try, in this order, and notes on what is left out. The user's settings are all that is tried."""
    if stated := os.environ.get("LIBGUESTFS_BACKEND_SETTINGS"):
        return _twice(stated.split(":"), f"LIBGUESTFS_BACKEND_SETTINGS={stated}"), []
    tcg = _twice([FORCE_TCG], "TCG")
    if not os.access(KVM, os.R_OK | os.W_OK):
        return tcg, []
    if reason := kvm.remembered():
        return tcg, [f"the appliance runs without KVM, which did not work earlier on this host: {reason}"]
    return [Attempt(["force_kvm"], KVM_TIMEOUT, KVM_LABEL), *tcg], []


def _twice(settings: Sequence[str], label: str) -> list[Attempt]:
    """Return two attempts; the second has nothing of ours in it that could be the reason why the first failed."""
    unpacks = FORCE_TCG in settings and platform.machine() == "x86_64" and "LIBGUESTFS_HV" not in os.environ
    return [
        Attempt(settings, TCG_TIMEOUT, label, unpacks=unpacks),
        Attempt(settings, TCG_TIMEOUT, f"{label}, second attempt", listens=False),
    ]


def _listed(problems: Mapping[str, str]) -> str:
    return "; ".join(f"{label}: {problem}" for label, problem in problems.items())


def _launch_once(add_drives: Callable[[Any], None], attempt: Attempt) -> Any:
    handle = load_guestfs().GuestFS(python_return_dict=True)
    with ExitStack() as undo:
        undo.callback(handle.close)
        # The direct back end needs no libvirt daemon, which would also want its own rights to the image.
        handle.set_backend("direct")
        handle.set_backend_settings(list(attempt.settings))
        if FORCE_TCG in attempt.settings and attempt.listens:
            handle.set_append(" ".join(filter(None, [KERNEL, handle.get_append()])))  # the user's are the last word
        add_drives(handle)
        with ExitStack() as temporary:
            folder = temporary.enter_context(TemporaryFolder()).path
            if attempt.listens:
                cache = kvm.cache_folder() if attempt.unpacks else None
                handle.set_hv(str(stand_in(Path(handle.get_hv()), folder, cache)))
            hang = temporary.enter_context(killed_if_it_hangs(QEMU, timeout=attempt.timeout, computing=COMPUTING))
            try:
                handle.launch()
            except RuntimeError as error:
                # The first call after launch(), where the handler of a signal runs that came meanwhile. Were it the
                # call of an ExitStack, an exception of that handler would keep it from undoing anything.
                problem = ": ".join(filter(None, [_first_line(error), last_words(folder)]))
                if hang.interrupted:  # and the handler raised nothing
                    raise EngineError("the start of the libguestfs appliance was interrupted") from error
                raise RuntimeError(hang.reason or problem) from error
        undo.pop_all()
    return handle


def _first_line(error: Exception) -> str:
    """Return the first line of a libguestfs error: after it comes nothing but advice on debugging."""
    return str(error).splitlines()[0].removesuffix(".") if str(error) else type(error).__name__
