"""The systemd unit that nodepool/ ships: its settings, and a command as they confine it, without systemd."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.functional.traces import FORGET_LOOPS

UNIT: Final = Path(__file__).parents[2] / "nodepool/nodepool-builder.service"

# systemd.exec(5): what these settings make read-only.
READ_ONLY: Final = {
    ("ProtectSystem", "full"): ("/usr", "/boot", "/etc"),
    ("ProtectHome", "read-only"): ("/home", "/root"),
    ("ProtectControlGroups", "yes"): ("/sys/fs/cgroup",),
}


def unit_settings() -> list[tuple[str, str]]:
    """Return (name, value) of all settings, in their order; a name may come more than once."""
    lines = UNIT.read_text().splitlines()
    return [
        (name, value) for line in lines if "=" in line and line[0] not in "#[" for name, value in [line.split("=", 1)]
    ]


def granted() -> set[str]:
    """Return the capabilities that the unit leaves its processes."""
    return {name for key, value in unit_settings() if key == "CapabilityBoundingSet" for name in value.split()}


def sandbox(capabilities: set[str], command: Sequence[str]) -> list[str]:
    """Return what runs ``command`` as the unit does: all of READ_ONLY, and no more than ``capabilities``.

    It is run as root and becomes ``command``, with the same pid. What is mounted below is left as it is.
    """
    places = " ".join(place for places in READ_ONLY.values() for place in places)
    read_only = f"for place in {places}; do mount --rbind $place $place; mount -o remount,bind,ro $place; done"
    bounding = ",".join(["-all", *(f"+{name.removeprefix('CAP_').lower()}" for name in sorted(capabilities))])
    script = f'{FORGET_LOOPS}set -e; {read_only}; exec setpriv --bounding-set="$0" -- "$@"'
    return ["unshare", "--mount", "--propagation", "private", "bash", "-c", script, bounding, *command]
