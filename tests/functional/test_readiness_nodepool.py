"""The lines about Nodepool, against a real launcher and builder: once green, and once red for each way to fail."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import make_ca, make_server
from tests.functional.nodepool_builder import Builder, Nodepool
from tests.functional.nodepool_launcher import Launcher, nodepool_launcher
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, nginx, presenting, readiness
from tests.functional.zookeeper import ZooKeeper, zookeeper

LABEL = "debian-bookworm-airgap"
# Images that take no time: what matters is what Nodepool tells of them.
BUILD = """\
#!/bin/sh
while [ $# -gt 0 ]; do
    [ "$1" = -o ] && out=$2
    shift
done
case $out in *broken*) exit 1 ;; esac
echo image > "$out.qcow2"
"""
SITES = """
        location ~ ^/(ready|[a-z-]+-(list|status))$ {{ proxy_pass http://127.0.0.1:{port}; }}
        location /odd/ {{ return 200 'maintenance'; }}
"""


@dataclass(frozen=True)
class Lab:
    """``url`` is that of the launcher's status page, through a proxy; ``bundle`` has its CA."""

    coordination: ZooKeeper
    launcher: Launcher
    builder: Builder
    url: str
    bundle: Path

    def check(self, folder: Path, path: str = "", **nodepool: Any) -> Outcome:
        services = {"nodepool": [{"url": self.url + path, **nodepool}]}
        bundle = {"bundle": str(self.bundle)}
        return readiness(folder, services=services, certificates=bundle, limits={"timeout": 30})

    def waiting(self, folder: Path, wanted: Callable[[Outcome], bool], **nodepool: Any) -> Outcome:
        """Return the outcome as soon as it is as ``wanted``: the page is computed anew every second."""
        deadline = time.monotonic() + 20
        while True:
            outcome = self.check(folder, **nodepool)
            if wanted(outcome) or time.monotonic() > deadline:
                return outcome
            time.sleep(0.3)


def good(outcome: Outcome) -> bool:
    return not outcome.bad()


@pytest.fixture(scope="module")
def lab(nodepool: Nodepool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("nodepool")
    root = make_ca("Readiness root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    command = folder / "build"
    command.write_text(BUILD)
    command.chmod(0o755)
    images = [
        {"name": name, "dib-cmd": str(command), "elements": ["none"], "formats": ["qcow2"]}
        for name in ("debian-bookworm", "debian-broken")
    ]
    with zookeeper(folder / "zookeeper") as coordination:
        settings = {**coordination.settings(), "providers": [], "labels": [], "diskimages": images}
        builder = Builder(nodepool, folder / "builder", settings)
        nodes = {"127.0.0.1": LABEL, "127.0.0.2": LABEL}
        builder.start()
        try:
            with nodepool_launcher(nodepool, coordination, folder / "launcher", nodes) as launcher:
                server = presenting(make_server(root, ["127.0.0.1"]), settings=SITES.format(port=launcher.port))
                with nginx(folder, {"nodepool": server}) as ports:
                    yield Lab(
                        coordination, launcher, builder, f"https://127.0.0.1:{ports['nodepool']}", folder / "root.pem"
                    )
        finally:
            builder.stop()


def test_everything_is_as_it_should_be(lab: Lab, tmp_path: Path) -> None:
    asked = {"labels": [LABEL], "images": [{"name": "debian-bookworm"}], "ready_nodes": {LABEL: 2}}
    outcome = lab.waiting(tmp_path, good, **asked)
    assert outcome.bad() == {}
    assert outcome.status == 0
    assert outcome.asked() == {"nodepool-ready", "nodepool-labels", "nodepool-images", "nodepool-nodes"}
    assert outcome.of("nodepool-ready") == [(lab.url, "pass", "is ready")]
    assert outcome.of("nodepool-labels") == [(lab.url, "pass", f"has {LABEL}")]
    assert outcome.of("nodepool-images") == [(f"debian-bookworm of {lab.url}", "pass", "has a ready build")]
    assert outcome.of("nodepool-nodes") == [(f"{LABEL} of {lab.url}", "pass", "2 ready")]


def test_labels_and_nodes_that_are_missing(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, labels=[LABEL, "rocky-9"], ready_nodes={LABEL: 3, "rocky-9": 1})
    assert outcome.bad()["nodepool-labels"] == f"lacks rocky-9; there are {LABEL}"
    assert [message for _, _, message in outcome.of("nodepool-nodes")] == ["2 ready; 3 wanted", "0 ready; 1 wanted"]
    assert outcome.status == 1


def test_images_that_failed_are_missing_or_paused(lab: Lab, tmp_path: Path) -> None:
    (failed,) = (
        lab.waiting(tmp_path, lambda outcome: "failed" in str(outcome.bad()), images=[{"name": "debian-broken"}])
        .bad()
        .values()
    )
    assert failed.startswith("no build is ready: ")
    assert "failed" in failed
    others = "there is no build of it; builds are there of debian-bookworm, debian-broken"
    assert lab.check(tmp_path, images=[{"name": "rocky"}]).bad() == {"nodepool-images": others}
    lab.builder.nodepool_command("image-pause", "debian-bookworm")
    paused = lab.waiting(tmp_path, lambda outcome: not good(outcome), images=[{"name": "debian-bookworm"}])
    lab.builder.nodepool_command("image-unpause", "debian-bookworm")
    assert paused.bad() == {"nodepool-images": "is paused: it is not built any more"}


def test_uploads(lab: Lab, tmp_path: Path) -> None:
    lab.builder.stop()  # it would remove uploads to providers that it does not know
    image = {"name": "debian-bookworm", "providers": ["cloud"]}
    there_is_none = lab.waiting(tmp_path, lambda outcome: "paused" not in str(outcome.bad()), images=[image])
    assert there_is_none.bad() == {"nodepool-images": "no upload to cloud is ready: there is none"}
    lab.launcher.upload("debian-bookworm", "cloud", "failed")
    failed = lab.waiting(tmp_path, lambda outcome: "failed" in str(outcome.bad()), images=[image])
    assert failed.bad() == {"nodepool-images": "no upload to cloud is ready: 1 failed"}
    lab.launcher.upload("debian-bookworm", "cloud", "ready")
    assert lab.waiting(tmp_path, good, images=[image]).bad() == {}


def test_a_launcher_that_waits_for_its_zookeeper(lab: Lab, tmp_path: Path) -> None:
    nowhere = replace(lab.coordination, port=free_port())
    with nodepool_launcher(lab.launcher.nodepool, nowhere, tmp_path / "launcher", {"127.0.0.1": LABEL}) as waiting:
        outcome = readiness(tmp_path, services={"nodepool": [{"url": f"http://127.0.0.1:{waiting.port}"}]})
    assert outcome.bad() == {"nodepool-ready": "is not ready (status 503)"}


def test_something_else_in_the_place_of_a_launcher(lab: Lab, tmp_path: Path) -> None:
    assert lab.check(tmp_path, "/odd").bad() == {"nodepool-ready": "answers with something else than OK"}
