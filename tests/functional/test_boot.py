"""The image boots, from MBR and from GPT, and becomes a node that Zuul can use: address, name, keys, sudo, tools."""

import json
from dataclasses import dataclass
from pathlib import Path

import paramiko
import pytest

from diskimage_validator import open_target
from tests.elements.pki import Issued
from tests.functional.conftest import BuiltImage, build_image, host_authorities
from tests.functional.machine import Machine, boot, config_drive
from tests.functional.tls_mirror import TlsMirror

USER = "zuul"


@dataclass(frozen=True)
class Instance:
    """What OpenStack would say of a new server: its config drive, and the key that its owner logs in with."""

    drive: Path
    key: Path


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    key = paramiko.ECDSAKey.generate(bits=256)
    path = tmp_path / "instance-key"
    key.write_private_key_file(str(path))
    metadata = {
        "uuid": "3c2b6a40-1f7c-4e0e-9c53-0d1f6f5f0001",
        "hostname": "node-7.cloud.internal",
        "name": "node-7",
        "public_keys": {"owner": f"{key.get_name()} {key.get_base64()} owner"},
    }
    # One NIC, by DHCP, as Nova describes it.
    network = {
        "links": [{"id": "tap0", "type": "phy", "ethernet_mac_address": "52:54:00:12:34:56", "mtu": 1450}],
        "networks": [{"id": "network0", "type": "ipv4_dhcp", "link": "tap0", "network_id": "n0"}],
        "services": [],
    }
    return Instance(config_drive(tmp_path, json.dumps(metadata), json.dumps(network)), path)


@pytest.fixture(scope="session")
def gpt_image(image_folder: Path, authority: Issued, mirror: TlsMirror) -> BuiltImage:
    """Build the other choices: trixie, GPT, docker, glean, for Kolla. PyPI needs this host's own CAs."""
    options = ["--release", "trixie", "--partition-table", "gpt", "--element", "kolla-builder"]
    for path in host_authorities():
        options += ["--ca", str(path)]
    return build_image(
        image_folder,
        "trixie",
        authority,
        mirror,
        *options,
        DIB_CONTAINER_ENGINE="docker",
        DIB_ZUUL_NODE_INIT="glean",
    )


def assert_is_a_node(machine: Machine, image: BuiltImage) -> None:
    """Check what every booted image must be, however it was made."""
    assert machine.run("id -un") == USER
    assert machine.run("sudo -n id -un") == "root"
    assert machine.run("ip -4 -o addr show scope global | grep -v docker0 | wc -l") == "1"
    assert machine.run("systemctl --failed --no-legend --plain") == ""
    key = machine.run(f"cat /etc/ssh/ssh_host_{_kind(machine.host_key)}_key.pub").split()[1]
    assert key == machine.host_key.get_base64()
    for tool in (
        "skopeo --version",
        "sudo buildah --version",
        "jq --version",
        "qemu-img --version",
        "python3 --version",
    ):
        assert machine.run(tool)
    anchors = "/usr/local/share/ca-certificates/*.crt"
    assert machine.run(f"openssl verify {anchors}").splitlines()
    # Python's own bundles give way to the system's: in a session, under sudo and in a service.
    for command in ("", "sudo ", "sudo systemd-run --quiet --wait --pipe "):
        assert machine.run(f"{command}printenv REQUESTS_CA_BUNDLE") == "/etc/ssl/certs/ca-certificates.crt"
    with open_target(str(image.path)) as engine:
        assert not [name for name in engine.listdir("/etc/ssh") if name.startswith("ssh_host_")]


def _kind(key: paramiko.PKey) -> str:
    return {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(key.get_name(), "ecdsa")


def test_mbr_boots_and_takes_its_address_from_plain_dhcp(node_image: BuiltImage, tmp_path: Path) -> None:
    with boot(node_image.path, tmp_path, user=USER, key=node_image.key) as machine:
        print(f"login after {machine.boot_seconds:.0f} s")  # noqa: T201 - a figure for the log
        assert_is_a_node(machine, node_image)
        assert machine.run("sudo podman info --format '{{.Host.OCIRuntime.Name}}'")
        assert "dos" in machine.run("sudo blkid -o value -s PTTYPE /dev/vda")


def test_mbr_takes_name_and_keys_from_a_config_drive(
    node_image: BuiltImage, instance: Instance, tmp_path: Path
) -> None:
    with boot(node_image.path, tmp_path, user=USER, key=instance.key, drive=instance.drive) as machine:
        assert machine.run("hostname") == "node-7"
        assert_is_a_node(machine, node_image)


def test_gpt_boots_takes_its_address_from_plain_dhcp_and_grows(gpt_image: BuiltImage, tmp_path: Path) -> None:
    with boot(gpt_image.path, tmp_path, user=USER, key=gpt_image.key, size="80G") as machine:
        print(f"login after {machine.boot_seconds:.0f} s")  # noqa: T201 - a figure for the log
        assert_is_a_node(machine, gpt_image)
        assert machine.run("sudo docker info --format '{{.ServerVersion}}'")
        assert machine.run("docker buildx version")
        assert int(machine.run("df --output=size -BG / | tail -1").strip("G \n")) > 70
        assert "gpt" in machine.run("sudo blkid -o value -s PTTYPE /dev/vda")


def test_gpt_takes_name_and_keys_from_a_config_drive(gpt_image: BuiltImage, instance: Instance, tmp_path: Path) -> None:
    with boot(gpt_image.path, tmp_path, user=USER, key=instance.key, drive=instance.drive) as machine:
        assert machine.run("hostname").split(".")[0] == "node-7"
        assert_is_a_node(machine, gpt_image)
