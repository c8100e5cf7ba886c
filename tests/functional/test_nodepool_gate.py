"""nodepool-builder, ZooKeeper, the gate and a cloud: a bad image never leaves the builder, and a good one always does.

All real but the cloud. The image is tiny-root, which takes seconds; test_nodepool_node.py has a whole node.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import make_ca, make_server
from tests.functional.conftest import MakeBuilder
from tests.functional.metrics import Statsd, statsd
from tests.functional.nodepool_builder import Builder, launcher
from tests.functional.openstack_cloud import Cloud, openstack_cloud
from tests.functional.readiness_lab import readiness
from tests.functional.tiny import POLICY, tiny_environment
from tests.functional.traces import traces, wait_until_empty

WANTS_MORE = POLICY.replace("required: [tiny-root]", "required: [tiny-root, no-such-package]")
LOOPS = 3  # of the builder, in which a build that is held back fails at once
SESSION = 10  # seconds after which ZooKeeper gives up a dead builder; nodepool's zookeeper-timeout


def tiny(name: str, environment: dict[str, str]) -> dict[str, Any]:
    """Return a diskimage of nodepool.yaml that is built through the gate in seconds."""
    return {
        "name": name,
        "dib-cmd": "disk-image-create-validated",
        "elements": ["tiny-root"],
        "formats": ["qcow2", "raw"],
        "release": "bookworm",
        "env-vars": environment,
    }


def tiny_configuration(folder: Path, *names: str, providers: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Return nodepool.yaml for images of these names; their policy is ``policy.yaml`` in ``folder``."""
    environment = tiny_environment(folder)
    elements = environment.pop("ELEMENTS_PATH")
    images = [tiny(name, environment) for name in names]
    return {"elements-dir": elements, "diskimages": images, "labels": [], "providers": providers or []}


def files_of(builder: Builder, base: str) -> dict[str, bytes]:
    """Return the image's files by name, checksum files among them."""
    return {name: (builder.images / name).read_bytes() for name in builder.uploadable() if name.startswith(base)}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    authority = make_ca("Cloud test CA, do not trust")
    with openstack_cloud(tmp_path / "cloud", make_server(authority, ["127.0.0.1"]), authority) as running:
        yield running


@pytest.fixture
def metrics() -> Iterator[Statsd]:
    with statsd() as running:
        yield running


def check_uploaded(builder: Builder, cloud: Cloud, row: dict[str, str]) -> None:
    """The image of the build in ``row`` is in the cloud, with the sha256 that it was validated with."""
    base = row["ID"]
    report = json.loads((builder.images / f"{base}.d/report-qcow2.json").read_text())
    assert report["target"]["name"] == str(builder.images / f"{base}.qcow2")
    digest = report["target"]["sha256"]
    build = base.removeprefix("tiny-")
    (image,) = [image for image in cloud.active("tiny-") if image.body["nodepool_build_id"] == build]
    files = files_of(builder, base)
    assert image.sha256 == digest
    assert hashlib.sha256(files[f"{base}.qcow2"]).hexdigest() == digest
    assert files[f"{base}.qcow2.sha256"].decode().split()[0] == digest
    assert image.body["owner_specified.openstack.sha256"] == digest
    md5 = hashlib.md5(files[f"{base}.qcow2"], usedforsecurity=False).hexdigest()
    assert image.body["owner_specified.openstack.md5"] == md5
    assert image.body["disk_format"] == "qcow2"


def check_readiness(builder: Builder, cloud: Cloud, newest: str, older: str) -> None:
    """Nodes are started from the newest image, and no longer from the one before."""
    rules = {"image": "tiny", "provider": "internal-cloud", "clouds": f"file:{cloud.clouds_yaml}", "cloud": "internal"}
    with launcher(builder) as url:
        nodes = [
            {"image": str(builder.images / f"{base}.qcow2"), "served_by": [{"nodepool": url, **rules}]}
            for base in (newest, older)
        ]
        bundle = {"bundle": str(cloud.folder / "ca.pem")}
        found = readiness(builder.folder, node_images=nodes, certificates=bundle).of("image-served")
    assert [status for _, status, _ in found] == ["pass", "fail"]
    assert f" of build {newest}: the sha256 that the uploader gave" in found[0][2]
    assert "the sha512 of what the cloud stores are that of the file" in found[0][2]
    assert f" of build {newest}: that is another one, with the sha256 " in found[1][2]


@pytest.mark.timeout(600)
def test_a_bad_image_fails_is_held_back_and_never_sent(
    make_builder: MakeBuilder, cloud: Cloud, metrics: Statsd, tmp_path: Path
) -> None:
    provider = {"name": "internal-cloud", "driver": "openstack", "cloud": "internal", "diskimages": [{"name": "tiny"}]}
    configuration = tiny_configuration(tmp_path, "tiny", providers=[provider])
    policy = tmp_path / "policy.yaml"
    builder = make_builder(
        tmp_path / "builder",
        configuration,
        OS_CLIENT_CONFIG_FILE=str(cloud.clouds_yaml),
        STATSD_HOST="127.0.0.1",
        STATSD_PORT=str(metrics.port),
    )

    # An image that passes is READY, has its reports beside it, and is uploaded as it was judged.
    builder.start()
    builder.built("tiny")
    builder.wait_for(r"in internal-cloud is ready$", timeout=60)
    (good,) = builder.list_images()
    assert (good["State"], good["Formats"]) == ("ready", "qcow2,raw")
    check_uploaded(builder, cloud, good)
    assert (builder.images / f"{good['ID']}.d/report-raw.json").exists()
    assert metrics.values("nodepool.dib_image_build.tiny.status.rc") == ["0"]
    assert int(metrics.values("nodepool.dib_image_build.tiny.qcow2.size")[0]) > 0
    before, sent = builder.uploadable(), cloud.writes()

    # Then the policy wants more. Nodepool tries again in every loop, until it gets an image.
    policy.write_text(WANTS_MORE)
    builder.nodepool_command("image-build", "tiny")
    builder.failed("tiny")
    builder.failed("tiny", 1 + LOOPS)
    failed = builder.failed_builds("tiny")
    assert "no-such-package" in builder.build_log("tiny", failed[0])
    assert re.search(r"dib-run-parts", builder.build_log("tiny", failed[0]))
    for build in failed[1:]:
        log = builder.build_log("tiny", build)
        assert "not built again" in log
        assert "no-such-package" in log
        assert "dib-run-parts" not in log, "diskimage-builder was run again"
    assert set(metrics.values("nodepool.dib_image_build.tiny.status.rc")[1:]) == {"1"}
    assert builder.uploadable() == before
    assert cloud.writes() == sent
    builder.wait_for_state("tiny", "failed", timeout=60)
    report = json.loads((builder.images / f"tiny-{failed[0]}.d/root-report.json").read_text())
    assert [result["subject"] for result in report["results"] if result["status"] == "fail"] == ["no-such-package"]

    # And is mended: the next loop builds, and uploads.
    policy.write_text(POLICY)
    builder.built("tiny", 2)
    builder.wait_for(r"in internal-cloud is ready$", 2, timeout=60)
    newest = [row for row in builder.list_images() if row["State"] == "ready" and row["ID"] != good["ID"]]
    assert len(newest) == 1
    check_uploaded(builder, cloud, newest[0])
    assert len(cloud.active("tiny-")) == 2
    check_readiness(builder, cloud, newest[0]["ID"], good["ID"])
    builder.stop()
    assert traces(builder.folder) == []
    assert list(builder.temporary.iterdir()) == []


@pytest.mark.timeout(600)
def test_two_builders_share_the_work_and_one_that_is_killed_leaves_nothing(
    make_builder: MakeBuilder, tmp_path: Path
) -> None:
    configuration = tiny_configuration(tmp_path, "one", "two")
    # Its builds wait in the chroot, beside a process that hears no SIGTERM.
    first = make_builder(tmp_path / "first", configuration, TINY_ROOT_FINALISE="sleep")
    second = make_builder(tmp_path / "second", configuration)
    first.start()
    first.wait_for(r"Building image one$", timeout=60)
    (one,) = [row for row in first.list_images() if row["Image"] == "one"]
    first.wait_for_build_log(one["ID"], "tiny-root sleeps", timeout=120)
    second.start()
    second.built("two")
    assert {row["Image"]: row["State"] for row in second.list_images()} == {"one": "building", "two": "ready"}
    assert second.count("Building image one$") == 0
    assert first.uploadable() == set()

    # SIGKILL, and nobody else is told: the gate sees for itself that its builder is gone.
    first.kill()
    wait_until_empty(first.temporary, timeout=60)
    assert first.uploadable() == set()
    assert [path for path in first.images.iterdir() if path.name.startswith(".")] == []
    second.built("one", timeout=120 + SESSION)
    second.stop()

    # The killed builder comes back, removes the record of the build that it did not finish, and goes on.
    del first.environment["TINY_ROOT_FINALISE"]
    first.start()
    first.wait_for_images({("one", "ready"), ("two", "ready")}, timeout=90)
    assert one["ID"] not in {row["ID"] for row in first.list_images()}
    first.nodepool_command("image-build", "one")
    first.built("one")
    assert {"one"} == {name.split("-")[0] for name in first.uploadable()}
    first.stop()
    for builder in (first, second):
        assert traces(builder.folder) == []
        assert list(builder.temporary.iterdir()) == []
