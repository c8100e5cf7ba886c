"""The image boots, from MBR and from GPT, and becomes a node that Zuul can use: address, name, keys, sudo, tools."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from diskimage_validator import open_target
from diskimage_validator.engines.boot.config_drive import HOSTNAME, make_config_drive
from diskimage_validator.engines.boot.credentials import make_key
from diskimage_validator.engines.boot.engine import BootEngine
from diskimage_validator.engines.boot.options import GIB
from diskimage_validator.facts.login import read_login
from diskimage_validator.image_file import examine
from diskimage_validator.login import Login
from tests.functional.conftest import BuiltImage
from tests.functional.image_copies import make_copy, make_systemd_older
from tests.functional.machine import Machine, boot

USER = "zuul"
KINDS = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa", "ecdsa-sha2-nistp256": "ecdsa"}


@dataclass(frozen=True)
class Instance:
    """A config drive, as OpenStack gives a new server, and the key that its owner logs in with."""

    drive: Path
    key: Path


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    made = make_key(tmp_path)
    return Instance(make_config_drive(tmp_path, made.public), made.private)


def assert_is_a_node(machine: Machine, image: BuiltImage) -> None:
    """Check what every booted image must be, however it was made."""
    assert machine.run("id -un") == USER
    assert machine.run("sudo -n id -un") == "root"
    assert machine.run("ip -4 -o addr show scope global | grep -v docker0 | wc -l") == "1"
    assert machine.run("systemctl --failed --no-legend --plain") == ""
    kind, _, key = machine.host_key.partition(" ")
    assert machine.run(f"cat /etc/ssh/ssh_host_{KINDS[kind]}_key.pub").split()[1] == key
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


def test_mbr_boots_and_takes_its_address_from_plain_dhcp(node_image: BuiltImage, tmp_path: Path) -> None:
    with boot(node_image.path, tmp_path, user=USER, key=node_image.key) as machine:
        print(f"login after {machine.boot_seconds:.0f} s")  # noqa: T201 - a figure for the log
        assert_is_a_node(machine, node_image)
        assert machine.run("sudo podman info --format '{{.Host.OCIRuntime.Name}}'")
        assert "dos" in machine.run("sudo blkid -o value -s PTTYPE /dev/vda")


def test_mbr_takes_name_and_keys_from_a_config_drive(node_image: BuiltImage, tmp_path: Path) -> None:
    """As the boot engine has it: a systemd that reads no credentials leaves the key to cloud-init."""
    copy = make_copy(node_image.path, tmp_path / "older.raw", make_systemd_older)
    with open_target(str(copy), image_format="raw") as at_rest:
        login = read_login(at_rest)
    assert login == Login(USER, "config-drive")
    with BootEngine(examine(copy, image_format="raw"), login) as node:
        assert any("log-in as zuul (config-drive)" in note and note.endswith(", running") for note in node.notes)
        assert node.run(["hostname"], timeout=60).stdout.strip() == HOSTNAME.split(".")[0]
        assert node.run(["id", "-un"], timeout=60, as_root=True).stdout == "root\n"
    copy.unlink()


def test_gpt_boots_takes_its_address_from_plain_dhcp_and_grows(gpt_image: BuiltImage, tmp_path: Path) -> None:
    with boot(gpt_image.path, tmp_path, user=USER, key=gpt_image.key, size=80 * GIB) as machine:
        print(f"login after {machine.boot_seconds:.0f} s")  # noqa: T201 - a figure for the log
        assert_is_a_node(machine, gpt_image)
        assert machine.run("sudo docker info --format '{{.ServerVersion}}'")
        assert machine.run("docker buildx version")
        assert int(machine.run("df --output=size -BG / | tail -1").strip("G \n")) > 70
        assert "gpt" in machine.run("sudo blkid -o value -s PTTYPE /dev/vda")


def test_gpt_takes_name_and_keys_from_a_config_drive(gpt_image: BuiltImage, instance: Instance, tmp_path: Path) -> None:
    with boot(gpt_image.path, tmp_path, user=USER, key=instance.key, drive=instance.drive) as machine:
        assert machine.run("hostname").split(".")[0] == HOSTNAME.split(".")[0]
        assert_is_a_node(machine, gpt_image)
