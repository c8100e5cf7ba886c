"""The lines about Zuul, against a real one behind a real proxy: once green, and once red for each way to fail."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.elements.pki import make_ca, make_server
from tests.functional.readiness_lab import Outcome, nginx, presenting, readiness
from tests.functional.zuul_application import install
from tests.functional.zuul_services import ZuulServices, zuul_services

PROXY = "location /api/ {{ proxy_pass http://127.0.0.1:{port}; }}"
COMPONENTS = {"scheduler": 1, "executor": 1, "merger": 1, "web": 1, "launcher": 1}


@dataclass(frozen=True)
class Lab:
    """``url`` is Zuul's, through the proxy; ``bundle`` has its CA."""

    services: ZuulServices
    url: str
    bundle: Path

    def check(self, folder: Path, **zuul: Any) -> Outcome:
        section = {"url": self.url, "components": COMPONENTS, **zuul}
        bundle = {"bundle": str(self.bundle)}
        return readiness(folder, services={"zuul": [section]}, certificates=bundle, limits={"timeout": 30})

    def waiting(self, folder: Path, wanted: Callable[[Outcome], bool], **zuul: Any) -> Outcome:
        """Return the outcome as soon as it is as ``wanted``: Zuul tells its web server within a second or so."""
        deadline = time.monotonic() + 20
        while True:
            outcome = self.check(folder, **zuul)
            if wanted(outcome) or time.monotonic() > deadline:
                return outcome
            time.sleep(0.2)


@pytest.fixture(scope="module")
def lab(image_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("zuul")
    root = make_ca("Readiness root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    with zuul_services(tmp_path_factory.mktemp("services"), install(image_folder / "zuul")) as services:
        server = presenting(make_server(root, ["127.0.0.1"]), settings=PROXY.format(port=services.port))
        with nginx(folder, {"zuul": server}) as ports:
            yield Lab(services, f"https://127.0.0.1:{ports['zuul']}", folder / "root.pem")


def test_everything_is_as_it_should_be(lab: Lab, tmp_path: Path) -> None:
    images = {"name": "images", "config_errors": 1, "labels": ["debian-bookworm-airgap"]}
    outcome = lab.check(tmp_path, tenants=[images, {"name": "empty"}])
    assert outcome.bad() == {}
    assert outcome.status == 0
    assert outcome.asked() == {"zuul-components", "zuul-versions", "zuul-tenants", "zuul-config", "zuul-labels"}
    kinds = [subject.split()[0] for subject, _, _ in outcome.of("zuul-components")]
    assert kinds == sorted(COMPONENTS)
    assert all(message.startswith("1 running (") for _, _, message in outcome.of("zuul-components"))
    assert outcome.of("zuul-versions")[0][2].startswith("all have 14.")
    assert outcome.of("zuul-tenants") == [
        (f"images of {lab.url}", "pass", "answers: 1 pipeline (check)"),
        (f"empty of {lab.url}", "pass", "answers: 0 pipelines"),
    ]
    assert outcome.of("zuul-config")[0][1:] == ("pass", "1 configuration error")
    (first, *_) = [one for one in outcome.results if one["check"] == "zuul-components"]
    assert first["tried"] == f"{lab.url}: GET /api/components"


def test_a_tenant_that_is_missing(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, tenants=[{"name": "kolla", "labels": ["any"]}])
    assert outcome.bad() == {"zuul-tenants": "there is no such tenant, but empty, images"}
    skipped = "no answer, see zuul-tenants: answers HTTP status 404"
    assert [outcome.of(check)[0][1:] for check in ("zuul-config", "zuul-labels")] == [("skip", skipped)] * 2
    assert outcome.status == 1


def test_errors_of_configuration_and_labels_that_are_missing(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, tenants=[{"name": "images", "labels": ["debian-bookworm-airgap", "rocky-9"]}])
    assert outcome.bad() == {
        "zuul-config": "1 configuration error",
        "zuul-labels": "lacks rocky-9; there are debian-bookworm-airgap",
    }


def test_too_few_components(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, components={"scheduler": 2, "fingergw": 1, "merger": 0})
    found = outcome.of("zuul-components")
    assert [(subject.split()[0], status) for subject, status, _ in found] == [
        ("fingergw", "fail"),
        ("scheduler", "fail"),
    ]
    assert found[0][2] == "0 running; 1 wanted"
    assert found[1][2].startswith("1 running (")
    assert found[1][2].endswith("; 2 wanted")


def test_a_component_that_is_paused(lab: Lab, tmp_path: Path) -> None:
    lab.services.command("merger", "pause")
    outcome = lab.waiting(tmp_path, lambda outcome: bool(outcome.bad()))
    lab.services.command("merger", "unpause")
    (message,) = outcome.bad().values()
    assert message.startswith("0 running, ")
    assert message.endswith(" is paused; 1 wanted")
    assert lab.waiting(tmp_path, lambda outcome: not outcome.bad()).bad() == {}


def test_versions_that_differ(lab: Lab, tmp_path: Path) -> None:
    with lab.services.stranger("old-executor", "14.2.0"):
        # Until the stranger is known there is one executor too few, which is bad, too.
        known = "zuul-versions"
        outcome = lab.waiting(tmp_path, lambda outcome: known in outcome.bad(), components={"executor": 2})
    assert list(outcome.bad()) == ["zuul-versions"]
    assert outcome.bad()["zuul-versions"].startswith("they differ: 14.2.0: executor old-executor; 14.")


def test_a_tenant_that_is_halted(lab: Lab, tmp_path: Path) -> None:
    tenants = [{"name": "empty"}]
    with lab.services.halted("empty", "moving the mirror"):
        outcome = lab.waiting(tmp_path, lambda outcome: bool(outcome.bad()), tenants=tenants)
    assert outcome.bad() == {"zuul-tenants": "is halted: trigger queue paused (moving the mirror)"}
