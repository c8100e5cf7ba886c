"""Start a libguestfs appliance, whatever the host's KVM is worth.

``/dev/kvm`` can be there and still be unusable (nested virtualisation, containers): the accelerated appliance then dies
at once or hangs. So every launch is watched, and what does not come up under KVM is started again under TCG, QEMU's
software emulation, which takes some seconds longer and always works. That is remembered (``kvm.py``), and KVM left out
for a while. A TCG launch that died or hangs is repeated once: about one in thirty is killed by an assertion in QEMU and
passes the second time.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from diskimage_validator.engines import kvm
from diskimage_validator.engines.binding import load_guestfs
from diskimage_validator.engines.stall import killed_if_it_hangs
from diskimage_validator.errors import EngineError

KVM: Final = Path("/dev/kvm")
KVM_TIMEOUT: Final = 60.0
TCG_TIMEOUT: Final = 300.0
COMPUTING: Final = 120.0
"""Seconds of processor time after which a start turns in circles. It takes ten without KVM."""
QEMU: Final = "qemu"
"""What the names of QEMU's programs have in common."""
KERNEL: Final = "init_on_alloc=0"
"""What the appliance's kernel is told besides (kernel-parameters.txt). Else it fills every page that it hands out with
zeros, for the sake of secrets in old ones: a tenth of the time without KVM, and here are no secrets."""

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
        handle.set_append(" ".join(filter(None, [handle.get_append(), KERNEL])))
        add_drives(handle)
        with killed_if_it_hangs(QEMU, timeout=timeout, computing=COMPUTING) as hang:
            try:
                handle.launch()
            except RuntimeError as error:
                raise (RuntimeError(hang.reason) if hang.reason else error) from error
    except BaseException:
        handle.close()
        raise
    return handle


def _first_line(error: Exception) -> str:
    """Return the telling part of a libguestfs error: its first line, without the advice on debugging."""
    return str(error).splitlines()[0].removesuffix(".") if str(error) else type(error).__name__
