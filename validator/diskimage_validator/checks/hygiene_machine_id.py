"""The image has no machine id: every node makes its own on first boot.

Nodes with the same ``/etc/machine-id`` get the same address from DHCP servers that go by the client's identifier, write
journals that cannot be told apart, and count as one machine for whatever keeps books. See machine-id(5).

``/etc/machine-id`` is clean where it is missing, empty or says ``uninitialized``; only the last makes systemd treat
the boot as the first one. ``/var/lib/dbus/machine-id`` is clean likewise, or as a link to ``/etc/machine-id``. A
valid id in D-Bus's file is as bad as one in ``/etc``: systemd takes it over.

.. rubric:: Example

With this policy::

    hygiene:
      machine_id: true

an image passes whose ``/etc/machine-id`` says ``uninitialized``.

An image fails whose ``/etc/machine-id``, or ``/var/lib/dbus/machine-id``, has 32 hexadecimal digits.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import could_not_read
from diskimage_validator.facts import known
from diskimage_validator.facts.identity import MACHINE_IDS, MachineId
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-machine-id"
TITLE: Final = "Machine id"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("identity",)

_EXPECTED: Final = "missing, empty or 'uninitialized'"
_HINT: Final = "write 'uninitialized' into /etc/machine-id, and empty D-Bus's file, at the end of the build"
_STATES: Final = {
    "set": "every node would have this same id",
    "odd": "its content is no machine id, and nothing that systemd replaces",
}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.machine_id


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding per file."""
    identity = known(question.facts.identity)
    yield from could_not_read((p for p in identity.problems if p.path in MACHINE_IDS), _EXPECTED)
    etc = MACHINE_IDS[0]
    for found in identity.machine_ids:
        if found.path == etc or found.link not in (etc, f"../../..{etc}"):
            yield _check_file(found)
        else:
            yield Finding(found.path, Status.PASS, f"a link to {etc}", _EXPECTED, "link", path=found.path)


def _check_file(found: MachineId) -> Finding:
    fault = _STATES.get(found.state, "")
    if fault:
        return Finding(found.path, Status.FAIL, fault, _EXPECTED, found.state, _HINT, found.path)
    return Finding(found.path, Status.PASS, f"it is {found.state}", _EXPECTED, found.state, path=found.path)
