"""The running kernel has the modules that it needs, and none that it must not have.

A module that is built into the kernel counts as one that is loaded. ``-`` and ``_`` are the same in a name.

.. rubric:: Example

With this policy::

    live:
      modules:
        required: [overlay, br_netfilter]
        forbidden: [usb-storage]

a node passes on which podman has run: overlay is loaded.

A node fails with ``usb_storage`` loaded, or without ``br_netfilter``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.facts.live.kernel import Kernel
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-modules"
TITLE: Final = "Kernel modules of a running node"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("live_kernel",)


def asked(policy: Policy) -> bool:
    """Whether the policy names modules."""
    return bool(policy.rules.live.modules.required or policy.rules.live.modules.forbidden)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for each module."""
    rules = question.rules.live.modules
    kernel = known(question.facts.live_kernel)
    for name in rules.required:
        yield not_running(name) if kernel is None else _check_required(kernel, name)
    for name in rules.forbidden:
        yield not_running(name) if kernel is None else _check_forbidden(kernel, name)


def _state(kernel: Kernel, name: str) -> str:
    """Return ``loaded``, ``built in``, empty for neither; ``unknown`` if the kernel does not list what is built in."""
    name = name.replace("-", "_")
    if name in kernel.loaded:
        return "loaded"
    if kernel.builtin is None:
        return "unknown"
    return "built in" if name in kernel.builtin else ""


def _check_required(kernel: Kernel, name: str) -> Finding:
    state = _state(kernel, name)
    if state == "unknown":
        return _unknown(kernel, name, "loaded or built in")
    if state:
        return Finding(name, Status.PASS, state, "loaded or built in", state)
    hint = f"add {name} to a file in /etc/modules-load.d"
    return Finding(name, Status.FAIL, "it is not loaded", "loaded or built in", "neither", hint)


def _check_forbidden(kernel: Kernel, name: str) -> Finding:
    state = _state(kernel, name)
    if state == "unknown":
        return _unknown(kernel, name, "neither loaded nor built in")
    if not state:
        return Finding(name, Status.PASS, "neither loaded nor built in", "neither loaded nor built in", "neither")
    hint = f"blacklist it: install {name} /bin/false, in /etc/modprobe.d" if state == "loaded" else "use another kernel"
    return Finding(name, Status.FAIL, f"it is {state}", "neither loaded nor built in", state, hint)


def _unknown(kernel: Kernel, name: str, expected: str) -> Finding:
    message = (
        f"not loaded; whether it is built in cannot be told: /lib/modules/{kernel.release}/modules.builtin is missing"
    )
    return Finding(name, Status.ERROR, message, expected, "not loaded")
