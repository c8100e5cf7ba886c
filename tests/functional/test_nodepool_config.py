"""What nodepool/ ships, held against the programs that will read it."""

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from diskimage_builder.element_dependencies import get_elements

from diskimage_validator.policy import load_policy
from tests.elements.fakeroot import ELEMENTS_PATH
from tests.functional.account import account
from tests.functional.builder_unit import READ_ONLY, granted, sandbox, unit_settings
from tests.functional.nodepool_builder import Nodepool
from tests.functional.tiny import tiny_environment
from tests.functional.traces import traces
from tests.functional.unprivileged import NOBODY

SHIPPED = Path(__file__).parents[2] / "nodepool"
CONFIGURATION: dict[str, Any] = yaml.safe_load((SHIPPED / "nodepool.yaml").read_text())

# systemd.exec(5), NoNewPrivileges=: a service with User= that has any of these cannot use sudo.
TAKE_SUDO_AWAY = (
    "DynamicUser", "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "ProtectClock", "ProtectHostname",
    "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RestrictAddressFamilies",
    "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures", "SystemCallFilter",
    "SystemCallLog",
)  # fmt: skip

# What the images are made from, and the ``ID`` of os-release(5) that comes of it; what a name of a release is there.
OPERATING_SYSTEMS = {
    "almalinux-container": "almalinux",
    "centos-minimal": "centos",
    "debian-minimal": "debian",
    "opensuse-minimal": "opensuse-leap",
    "rocky-container": "rocky",
    "ubuntu-minimal": "ubuntu",
}
VERSIONS = {
    "bookworm": "12",
    "trixie": "13",
    "jammy": "22.04",
    "noble": "24.04",
    "9-stream": "9",
    "10-stream": "10",
}

# Load both files as the builder does, and print what each image would be built with.
LOAD = """
import json, sys
from nodepool import config
loaded = config.loadConfig(sys.argv[1])
config.loadSecureConfig(loaded, sys.argv[2])
images = {name: {"elements": image.elements.split(), "env": image.env_vars, "command": image.dib_cmd,
                 "types": sorted(image.image_types), "pause": image.pause, "release": image.release}
          for name, image in loaded.diskimages.items()}
json.dump({"images": images, "tls": [loaded.zookeeper_tls_cert, loaded.zookeeper_tls_key, loaded.zookeeper_tls_ca],
           "zookeeper": loaded.zookeeper_servers}, sys.stdout)
"""


def test_nodepool_takes_the_configuration(nodepool: Nodepool) -> None:
    done = nodepool.config_validate(SHIPPED / "nodepool.yaml")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("correct", "wrong"),
    [
        ("parent: airgap-base", "parent: airgap-bass"),
        ("rebuild-age: 86400", "rebuild-age: daily"),
        ("DIB_ZUUL_NODE_INIT: glean", "DIB_ZUUL_NODE_INIT: 1"),
        ("flavor-name: ci.small", "flavor: ci.small"),
        ("diskimage: kolla-builder-docker", "diskimage: kolla"),
    ],
)
def test_nodepool_would_tell_of_a_mistake(nodepool: Nodepool, tmp_path: Path, correct: str, wrong: str) -> None:
    text = (SHIPPED / "nodepool.yaml").read_text()
    assert correct in text
    spoiled = tmp_path / "nodepool.yaml"
    spoiled.write_text(text.replace(correct, wrong))
    assert nodepool.config_validate(spoiled).returncode != 0


@pytest.fixture(scope="module")
def loaded(nodepool: Nodepool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Nodepool makes of nodepool.yaml, secure.conf.sample and clouds.yaml.sample."""
    files = [SHIPPED / "nodepool.yaml", SHIPPED / "secure.conf.sample"]
    environment = {
        "OS_CLIENT_CONFIG_FILE": str(SHIPPED / "clouds.yaml.sample"),
        "HOME": str(tmp_path_factory.mktemp("home")),
    }
    command = [nodepool.program("python"), "-c", LOAD, *map(str, files)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_image_is_built_through_the_gate(loaded: dict[str, Any]) -> None:
    images = loaded["images"]
    assert len(images) >= 4
    assert {Path(image["command"]).name for image in images.values()} == {"disk-image-create-validated"}
    for name, image in images.items():
        assert image["env"]["DIB_GATE_POLICY"] == ("kolla-builder" if name.startswith("kolla-") else "container-node")
        assert image["env"]["DIB_CONTAINER_ENGINE"] in ("docker", "podman"), name
        assert {"vm", "airgap-node"} <= set(image["elements"]), name
        assert image["types"] == ["qcow2"], name
        assert [element for element in image["elements"] if element.startswith("block-device-")], name


def test_what_was_never_built_here_is_not_built_unasked(loaded: dict[str, Any]) -> None:
    for name, image in loaded["images"].items():
        assert image["pause"] == ("debian-minimal" not in image["elements"]), name


def test_the_elements_of_every_image_resolve_and_know_its_release(loaded: dict[str, Any]) -> None:
    """diskimage-builder's own resolver raises for what is missing."""
    for name, image in loaded["images"].items():
        found = {element: Path(place) for element, place in get_elements(image["elements"], ELEMENTS_PATH)}
        made_of_containers = [place for place in found.values() if (place / "containerfiles").exists()]
        assert len(made_of_containers) == ("containerfile" in found), name
        assert all((place / "containerfiles" / image["release"]).exists() for place in made_of_containers), name


def test_every_system_that_the_policy_allows_has_an_image_or_a_word_on_why_not(loaded: dict[str, Any]) -> None:
    built = {
        (OPERATING_SYSTEMS[element], VERSIONS.get(image["release"], image["release"]))
        for image in loaded["images"].values()
        for element in image["elements"]
        if element in OPERATING_SYSTEMS
    }
    readme = (SHIPPED / "README.rst").read_text()
    for system in load_policy("container-node").rules.os.any or ():
        for version in system.versions or ():
            assert (system.id, version) in built
        assert system.id in {name for name, _ in built} or f"{system.id.capitalize()} is left out" in readme


def test_the_secure_file_names_servers_certificates_and_variables(loaded: dict[str, Any]) -> None:
    assert loaded["zookeeper"] == "zookeeper.internal:2281"
    assert [Path(file).name for file in loaded["tls"]] == ["client.pem", "client.key", "ca.pem"]
    assert "PIP_INDEX_URL" in loaded["images"]["debian-bookworm-podman"]["env"]
    assert "PIP_INDEX_URL" not in loaded["images"]["debian-trixie-docker"]["env"]


def test_every_kolla_label_names_a_flavor_of_the_size_that_kolla_wants() -> None:
    (provider,) = CONFIGURATION["providers"]
    (pool,) = provider["pools"]
    text = (SHIPPED / "nodepool.yaml").read_text()
    labels = [label for label in pool["labels"] if label["name"].startswith("kolla-")]
    assert {label["name"] for label in labels} == {"kolla-builder-docker", "kolla-builder-podman"}
    for label in labels:
        flavor = label["flavor-name"]
        made = re.search(
            rf"openstack flavor create --vcpus (\d+) --ram (\d+) --disk (\d+) {re.escape(flavor)}$", text, re.M
        )
        assert made, f"nothing says how {flavor} is made"
        vcpus, memory, disk = map(int, made.groups())
        assert vcpus >= 4
        assert memory >= 16 * 1024  # MiB
        assert (label["volume-size"] if label.get("boot-from-volume") else disk) >= 80  # GB


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (SHIPPED / "nodepool-builder.service").read_text()
    programs = set(re.findall(r"^ExecStart(?:Pre)?=[-+]*(\S+)", text, re.M))
    assert len(programs) == 2
    for program in programs:
        there = tmp_path / program.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text("")
        there.chmod(0o755)
        text = text.replace(program, str(there))
    unit = tmp_path / "nodepool-builder.service"
    for content, good in ((text, True), (text.replace("ProtectHome=read-only", "ProtectHome=maybe"), False)):
        unit.write_text(content)
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], check=False, capture_output=True, text=True)
        said = [line for line in done.stderr.splitlines() if unit.name in line]
        assert (not said) == good, said


def test_the_units_hardening_leaves_sudo_alone() -> None:
    settings = unit_settings()
    assert ("User", "nodepool") in settings
    assert [name for name, _ in settings if name in TAKE_SUDO_AWAY] == []


def test_systemd_gives_the_gate_time_to_clean_up() -> None:
    settings = dict(unit_settings())
    assert settings["KillMode"] == "control-group"
    assert settings.get("KillSignal", "SIGTERM") == "SIGTERM"
    assert int(settings["TimeoutStopSec"]) > 90


@pytest.mark.parametrize("without", ["", "CAP_SYS_ADMIN", "CAP_SYS_CHROOT"])
def test_the_units_hardening_leaves_the_build_what_it_needs(without: str) -> None:
    """An account that is not root builds, and gets by sudo what the unit leaves to root. test_nodepool_node has apt."""
    assert set(READ_ONLY) <= set(unit_settings())
    assert "CAP_SYS_MODULE" not in granted()
    gate = str(Path(sys.executable).with_name("disk-image-create-validated"))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
    with account() as builder:
        folder = builder.folder
        own = {"PATH": path, "TMPDIR": str(folder), "HOME": str(folder), "USER": NOBODY}
        build = [gate, "-t", "qcow2", "-o", str(folder / "image"), "tiny-root"]
        command = builder.command(build, partial(sandbox, granted() - {without}))
        environment = {**os.environ, **tiny_environment(folder), **own}
        done = subprocess.run(command, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert (done.returncode == 0) == (not without), done.stdout.decode(errors="replace")[-4000:]
        made = [path.owner() for path in folder.glob("image.qcow2")]
        assert made == [NOBODY] * (not without)
        assert traces(folder) == []
