"""The configuration that nodepool/ ships, with the places of this host in it, builds a whole node and uploads it.

The builder is confined as the unit there confines it: apt, dpkg and grub-install have to do with that.
"""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.elements import elements_path
from tests.elements.pki import Issued, make_server
from tests.functional.builder_unit import granted, sandbox
from tests.functional.conftest import BUILD_TIMEOUT, MakeBuilder, RunValidator, identity
from tests.functional.openstack_cloud import openstack_cloud
from tests.functional.tls_mirror import TlsMirror
from tests.functional.traces import traces

SHIPPED = Path(__file__).parents[2] / "nodepool/nodepool.yaml"
IMAGE = "debian-bookworm-podman"
FORMATS = ("qcow2", "raw")


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
    abstract = [one for one in whole["diskimages"] if one.get("abstract")]
    (wanted,) = [one for one in whole["diskimages"] if one["name"] == image]
    whole["diskimages"] = [*abstract, {**wanted, "formats": list(FORMATS)}]
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
        builder.confined = partial(sandbox, granted())
        builder.start()
        builder.built(IMAGE, timeout=BUILD_TIMEOUT)
        builder.wait_for(r"in internal-cloud is ready$", timeout=120)
        (row,) = builder.list_images()
        assert (row["Image"], row["State"], set(row["Formats"].split(","))) == (IMAGE, "ready", set(FORMATS))
        builder.stop()
    assert traces(folder) == []
    assert list(builder.temporary.iterdir()) == []

    # Both files were judged, are what their checksums say, and the validator agrees afterwards.
    base = builder.images / row["ID"]
    reports = base.with_name(f"{base.name}.d")
    root = json.loads((reports / "root-report.json").read_text())
    for name in FORMATS:
        check_judged(
            base.with_name(f"{base.name}.{name}"), json.loads((reports / f"report-{name}.json").read_text()), root
        )
    verdict = RunValidator(tmp_path / "node-ca.pem", tmp_path)(base.with_name(f"{base.name}.qcow2"))
    assert (verdict.status, verdict.failed()) == (0, set())
    (sent,) = cloud.active(IMAGE)
    assert sent.sha256 == json.loads((reports / "report-qcow2.json").read_text())["target"]["sha256"]
    # Compressed otherwise than Nodepool asks for, because the configuration says so.
    told = subprocess.check_output(["qemu-img", "info", "-f", "qcow2", "--output=json", f"{base}.qcow2"])
    assert json.loads(told)["format-specific"]["data"]["compression-type"] == "zstd"
    # Nothing of the gate is in the image, the log is the whole story, and the verdict is the last thing in it.
    assert "DIB_GATE" not in (reports / "dib-manifests/dib_environment").read_text()
    log = builder.build_log(IMAGE, row["ID"].removeprefix(f"{IMAGE}-"))
    order = ["Building elements", "PASSED  ", "Build completed successfully", "the root passed; converting to "]
    places_in_log = [log.index(text) for text in order]
    assert places_in_log == sorted(places_in_log)
    # Nodepool names the formats in any order.
    assert all(log.index(f"validating {base.name}.{name}") > places_in_log[-1] for name in FORMATS)
    *_, last, status = log.splitlines()
    assert "disk-image-create-validated: PASSED: " in last
    assert status == "Exit code: 0"


def check_judged(image: Path, report: dict[str, Any], root: dict[str, Any]) -> None:
    """The report is of this very file, which passed, as its root did."""
    assert report["policy"]["name"] == root["policy"]["name"] == "container-node"
    assert report["summary"]["fail"] == report["summary"]["error"] == 0
    assert report["summary"]["pass"] >= root["summary"]["pass"] > 90
    assert report["target"]["sha256"] == Path(f"{image}.sha256").read_text()[:64]
    for kind in ("sha256", "md5"):
        subprocess.run([f"{kind}sum", "--check", f"{image}.{kind}"], check=True, stdout=subprocess.DEVNULL)
