"""OpenStack's config drive: what cloud-init and glean ask for name, network and keys of a new server.

Format: "Config drives" in Nova's documentation: ISO 9660 with the label ``config-2`` and ``openstack/latest``. Without
one, a node that looks for a cloud waits for a metadata service, which there is none of here.
"""

import json
import uuid
from pathlib import Path
from typing import Any, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.process import find_program, run

MAC: Final = "52:54:00:12:34:56"
"""That of the machine's one interface: network_data.json names it by its address."""
HOSTNAME: Final = "node.validation.internal"
MAKERS: Final = (["xorriso", "-as", "genisoimage"], ["genisoimage"], ["mkisofs"])
REMEDY: Final = "install xorriso or genisoimage"
TIMEOUT: Final = 60.0


def metadata(public_key: str) -> dict[str, Any]:
    """Return meta_data.json: a server of its own, with ``public_key`` as its owner's; without, nobody's."""
    keys = {"public_keys": {"diskimage-validator": public_key}} if public_key else {}
    return {"uuid": str(uuid.uuid4()), "hostname": HOSTNAME, "name": HOSTNAME.partition(".")[0], **keys}


def network_data() -> dict[str, Any]:
    """Return network_data.json: one interface that gets its address by DHCP, as Nova describes it."""
    return {
        "links": [{"id": "tap0", "type": "phy", "ethernet_mac_address": MAC, "mtu": 1500}],
        "networks": [{"id": "network0", "type": "ipv4_dhcp", "link": "tap0", "network_id": "network0"}],
        "services": [],
    }


def find_maker() -> list[str] | None:
    """Return the command that makes an ISO 9660 file system, None if the host has none."""
    return next((maker for maker in MAKERS if find_program(maker[0])), None)


def make_config_drive(folder: Path, public_key: str = "") -> Path:
    """Make the drive's file in ``folder`` and return it. Raises EngineError if the host has no program for that."""
    maker = find_maker()
    if maker is None:
        raise EngineError("no program makes a config drive", REMEDY)
    latest = folder / "config/openstack/latest"
    latest.mkdir(parents=True)
    (latest / "meta_data.json").write_text(json.dumps(metadata(public_key)))
    (latest / "network_data.json").write_text(json.dumps(network_data()))
    iso = folder / "config-2.iso"
    options = ["-quiet", "-V", "config-2", "-J", "-r", "-o", str(iso), str(folder / "config")]
    done = run([*maker, *options], timeout=TIMEOUT)
    if done.status:
        raise EngineError(f"{maker[0]}: {done.stderr.strip()[-200:] or f'exit status {done.status}'}")
    return iso
