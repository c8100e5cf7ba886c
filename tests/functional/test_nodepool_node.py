"""The configuration that nodepool/ ships, with the places of this host in it, builds a whole node and uploads it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.elements import elements_path
from tests.elements.pki import Issued, make_server
from tests.functional.conftest import BUILD_TIMEOUT, MakeBuilder, identity
from tests.functional.openstack_cloud import openstack_cloud
from tests.functional.tls_mirror import TlsMirror
from tests.functional.traces import traces

SHIPPED = Path(__file__).parents[2] / "nodepool/nodepool.yaml"
IMAGE = "debian-bookworm-podman"


def here(mirror: TlsMirror, authority: Path, public: Path, folder: Path) -> dict[str, str]:
    """Return what the shipped configuration's names are on this host."""
    (folder / "site.yaml").write_text(
        f"version: 1\nmirrors:\n  apt:\n    - uri: {mirror.debian}\n"
        f'    - uri: {mirror.security}\n      suites: ["{{release}}-security"]\n'
    )
    return {
        "https://mirror.internal/debian": mirror.debian,
        "https://mirror.internal/debian-security": mirror.security,
        "/etc/nodepool/internal-ca.pem": str(authority),
        "/etc/nodepool/zuul.pub": str(public),
        "/etc/nodepool/site.yaml": str(folder / "site.yaml"),
        "/var/lib/nodepool/gate": str(folder / "gate"),
        "/var/lib/nodepool/tmp": str(folder / "tmp"),
        "/var/lib/nodepool/cache": str(folder / "cache"),
        "/opt/airgap-image-factory/share/airgap-image-factory/elements": str(elements_path()),
        "/opt/airgap-image-factory/bin/": f"{Path(sys.executable).parent}/",
    }


def shipped(places: dict[str, str], image: str) -> dict[str, Any]:
    """Return nodepool.yaml as it is shipped, for this one image, with ``places`` in it."""
    text = SHIPPED.read_text()
    for name in sorted(places, key=len, reverse=True):
        assert name in text, f"nodepool.yaml does not say {name} any more"
        text = text.replace(name, places[name])
    whole: dict[str, Any] = yaml.safe_load(text)
    for name in ("images-dir", "build-log-dir"):
        del whole[name]
    whole["diskimages"] = [one for one in whole["diskimages"] if one.get("abstract") or one["name"] == image]
    (provider,) = whole["providers"]
    provider |= {"diskimages": [{"name": image}], "pools": []}
    return {**whole, "labels": []}


@pytest.mark.timeout(BUILD_TIMEOUT)
def test_the_shipped_configuration_builds_and_uploads_a_node(
    make_builder: MakeBuilder, mirror: TlsMirror, authority: Issued, tmp_path: Path
) -> None:
    folder = tmp_path / "builder"
    folder.mkdir()
    _, public = identity(tmp_path, "node", authority)
    places = here(mirror, tmp_path / "node-ca.pem", public, folder)
    with openstack_cloud(tmp_path / "cloud", make_server(authority, ["127.0.0.1"]), authority) as cloud:
        builder = make_builder(folder, shipped(places, IMAGE), OS_CLIENT_CONFIG_FILE=str(cloud.clouds_yaml))
        builder.start()
        builder.built(IMAGE, timeout=BUILD_TIMEOUT)
        builder.wait_for(r"in internal-cloud is ready$", timeout=120)
        (row,) = builder.list_images()
        assert (row["Image"], row["State"], row["Formats"]) == (IMAGE, "ready", "qcow2")
        builder.stop()
    base = builder.images / row["ID"]
    reports = base.with_name(f"{base.name}.d")
    report = json.loads((reports / "report-qcow2.json").read_text())
    root = json.loads((reports / "root-report.json").read_text())
    assert report["policy"]["name"] == root["policy"]["name"] == "container-node"
    assert report["summary"]["pass"] > root["summary"]["pass"] > 20
    (sent,) = cloud.active(IMAGE)
    assert sent.sha256 == report["target"]["sha256"]
    assert base.with_name(f"{base.name}.qcow2.sha256").read_text().startswith(f"{sent.sha256} ")
    # Smaller than what Nodepool asks for, because the configuration says so.
    told = subprocess.check_output(["qemu-img", "info", "-f", "qcow2", "--output=json", f"{base}.qcow2"])
    assert json.loads(told)["format-specific"]["data"]["compression-type"] == "zstd"
    assert traces(folder) == []
    assert list(builder.temporary.iterdir()) == []
