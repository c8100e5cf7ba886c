"""Nodes are started from this very image: once green, and once red for each way to fail.

What Nodepool says is written here in the form of its web application, and what Zuul says by Zuul's own code; the cloud
is as much of Keystone and Glance as they ask for. test_nodepool_gate.py has a real builder, launcher and upload.
"""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from diskimage_validator.readiness.probes.keystone import MAX_TOKEN
from tests.elements.pki import make_ca, make_server
from tests.functional.openstack_cloud import CREDENTIAL, Cloud, Image, openstack_cloud
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, nginx, presenting, readiness
from tests.functional.zuul_application import Zuul, install

IMAGE, PROVIDER, TENANT = "debian-bookworm", "internal-cloud", "images"
OTHER = "0" * 64


def digest(path: Path, algorithm: str = "sha256") -> str:
    return hashlib.new(algorithm, path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Lab:
    """Files ``one.qcow2`` and ``two.qcow2``, a cloud that has both, and a web server below ``url`` for ``folder``."""

    folder: Path
    url: str
    cloud: Cloud

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.qcow2"

    def nodepool(self, name: str, uploads: list[dict[str, Any]], builds: list[dict[str, Any]] | None = None) -> str:
        """Let a launcher's web application say this; return its URL."""
        place = self.folder / "served" / name
        place.mkdir(parents=True)
        all_uploads = [{"image": IMAGE, "provider": PROVIDER, "upload_id": "0000000001", **one} for one in uploads]
        all_uploads += [
            {**upload(99, identity="elsewhere"), "image": image, "provider": provider, "upload_id": "1"}
            for image, provider in ((IMAGE, "other-cloud"), ("other-image", PROVIDER))
        ]
        (place / "image-list").write_text(json.dumps(all_uploads))
        known = [{"id": f"{IMAGE}-{one['id']}", "age": one["age"], "state": "ready"} for one in uploads]
        rows = [{"image": IMAGE, "builder": "b", "formats": ["qcow2"], **one} for one in builds or known]
        (place / "dib-image-list").write_text(json.dumps(rows))
        return f"{self.url}/{name}"

    def check(self, folder: Path, *served_by: dict[str, Any], file: str = "one", **rules: Any) -> Outcome:
        common = {"image": IMAGE, "provider": PROVIDER}
        cloud = {"clouds": f"file:{self.cloud.clouds_yaml}", "cloud": "internal"}
        entries = [{**common, **(cloud if "nodepool" in one else {}), **one} for one in served_by]
        nodes = [{"image": str(self.file(file)), "served_by": entries}]
        rules.setdefault("certificates", {"bundle": str(self.folder / "root.pem")})
        return readiness(folder, node_images=nodes, **rules)

    def says(self, folder: Path, *served_by: dict[str, Any], file: str = "one") -> tuple[str, str]:
        """Return status and message of the only finding."""
        ((_, status, message),) = self.check(folder, *served_by, file=file).of("image-served")
        return status, message


def upload(number: int, *, identity: str | None, state: str = "ready", age: int = 1_700_000_000) -> dict[str, Any]:
    return {"id": f"{number:010}", "external_id": identity, "external_name": "n", "state": state, "age": age + number}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("serving")
    root = make_ca("Serving root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    server = make_server(root, ["127.0.0.1"])
    (folder / "served").mkdir()
    with (
        openstack_cloud(folder / "cloud", server, root) as cloud,
        nginx(folder, {"web": presenting(server, settings="location /served/ { }")}) as ports,
    ):
        running = Lab(folder, f"https://127.0.0.1:{ports['web']}/served", cloud)
        for name, size in (("one", "1M"), ("two", "2M")):
            command = ["qemu-img", "create", "-q", "-f", "qcow2", str(running.file(name)), size]
            subprocess.run(command, check=True)
            put(running, name, running.file(name))
        yield running


def put(lab: Lab, identity: str, file: Path, **body: Any) -> None:
    """Have an image in the cloud, as openstacksdk uploads it and Glance digests it."""
    told = {"owner_specified.openstack.sha256": digest(file), "disk_format": "qcow2", "status": "active"}
    computed = {"os_hash_algo": "sha512", "os_hash_value": digest(file, "sha512"), "size": file.stat().st_size}
    lab.cloud.images[identity] = Image({"id": identity, "name": identity, **told, **computed, **body})


def test_the_newest_upload_is_the_file(lab: Lab, tmp_path: Path) -> None:
    uploads = [upload(2, identity="one"), upload(1, identity="two"), upload(3, identity=None, state="uploading")]
    url = lab.nodepool("good", uploads)
    outcome = lab.check(tmp_path, {"nodepool": url})
    assert outcome.bad() == {}
    assert outcome.status == 0
    (found,) = [one for one in outcome.results if one["check"] == "image-served"]
    sha256 = digest(lab.file("one"))
    assert found["message"] == (
        f"nodes are started from image one of build {IMAGE}-0000000002: the sha256 that the uploader gave ({sha256})"
        " and the sha512 of what the cloud stores are that of the file"
    )
    assert found["tried"].startswith(f"{url}: GET /image-list, /dib-image-list: {IMAGE} in {PROVIDER}; the image in ")
    assert lab.cloud.password not in (tmp_path / "readiness.json").read_text()


def test_nodes_are_started_from_something_else(lab: Lab, tmp_path: Path) -> None:
    both = [upload(1, identity="one"), upload(2, identity="two")]
    old = f"{IMAGE}-0000000001"
    builds = [{"id": f"{IMAGE}-000000000{n}", "age": n, "state": state} for n, state in ((1, "ready"), (2, "ready"))]
    sha256, other = digest(lab.file("one")), digest(lab.file("two"))
    said = lab.says(tmp_path, {"nodepool": lab.nodepool("other", both)})
    assert said == (
        "fail",
        f"nodes are started from image two of build {IMAGE}-0000000002: that is another one, with the sha256 {other}",
    )
    # The new build is there, and its upload is not.
    waiting = lab.nodepool("older", [upload(1, identity="one"), upload(2, identity=None, state="failed")], builds)
    status, message = lab.says(tmp_path, {"nodepool": waiting}, file="two")
    assert status == "fail"
    assert message == (
        f"nodes are started from image one of build {old}: that is another one, with the sha256 {sha256};"
        f" a newer build, {IMAGE}-0000000002, is ready and not uploaded"
    )


def test_no_upload_is_ready(lab: Lab, tmp_path: Path) -> None:
    states = [upload(1, identity=None, state="failed"), upload(2, identity="two", state="deleting")]
    nothing = lab.nodepool("nothing", [], [{"id": f"{IMAGE}-1", "age": 1, "state": "building"}])
    assert lab.says(tmp_path, {"nodepool": lab.nodepool("states", states)}) == (
        "fail",
        "no upload is ready (deleting, failed)",
    )
    assert lab.says(tmp_path, {"nodepool": nothing}) == ("fail", "no upload is ready: there is none")


@pytest.mark.parametrize(
    ("identity", "body", "status", "said"),
    [
        ("gone", None, "fail", "the cloud has no such image"),
        ("queued", {"status": "deactivated"}, "fail", "the cloud says that it is deactivated"),
        ("raw", {"disk_format": "raw"}, "error", "it is raw there, and the file is qcow2, so that no checksum can be"),
        ("changed", {"os_hash_value": "0" * 128}, "fail", "what the cloud stores has not the sha512 of the file"),
        ("silent", {"owner_specified.openstack.sha256": "", "os_hash_algo": None}, "error", "nobody tells a checksum"),
        ("md5", {"os_hash_algo": "md5"}, "pass", "the sha256 that the uploader gave"),
        ("bare", {"owner_specified.openstack.sha256": ""}, "pass", "the sha512 of what the cloud stores is that of"),
        ("odd", {"status": 7}, "error", "answers with something else than an image"),
    ],
)
def test_what_the_cloud_has(
    lab: Lab, tmp_path: Path, identity: str, body: dict[str, Any] | None, status: str, said: str
) -> None:
    if body is not None:
        put(lab, identity, lab.file("one"), **body)
    found = lab.says(tmp_path, {"nodepool": lab.nodepool(f"cloud-{identity}", [upload(1, identity=identity)])})
    assert found[0] == status
    assert said in found[1]


def test_an_application_credential_is_enough(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    auth = {"auth_url": f"{lab.cloud.url}/identity", "application_credential_id": CREDENTIAL}
    secret = {"application_credential_secret": lab.cloud.password}
    clouds: dict[str, dict[str, Any]] = {"internal": {"auth": {**auth, **secret}}}
    monkeypatch.setenv("CLOUDS", yaml.safe_dump({"clouds": clouds}))
    url = lab.nodepool("credential", [upload(1, identity="one")])
    assert lab.says(tmp_path, {"nodepool": url, "clouds": "env:CLOUDS"})[0] == "pass"
    clouds["internal"]["region_name"] = "elsewhere"
    monkeypatch.setenv("CLOUDS", yaml.safe_dump({"clouds": clouds}))
    said = lab.says(tmp_path, {"nodepool": url, "clouds": "env:CLOUDS"})
    assert said == ("error", "the cloud's catalogue has no service 'image'")
    (tmp_path / "other.pem").write_bytes(make_ca("Other root").cert_pem)
    stranger = lab.check(tmp_path, {"nodepool": url}, certificates={"bundle": "other.pem"})
    assert "its certificate does not verify" in stranger.bad()["image-served"]


def test_who_does_not_answer_hides_nobody(lab: Lab, tmp_path: Path) -> None:
    login = yaml.safe_load(lab.cloud.clouds_yaml.read_text())
    login["clouds"]["internal"]["auth"]["password"] = "wrong-s3cret"
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(login))
    (tmp_path / "bad.yaml").write_text("clouds: {internal: {auth: {password: [s3cret]}}}")
    (tmp_path / "no.yaml").write_text("s3cret: [")
    good = lab.nodepool("alive", [upload(1, identity="one")])
    (lab.folder / "served/html").mkdir()
    (lab.folder / "served/html/dib-image-list").write_text("<html>")
    entries = [
        {"nodepool": f"https://127.0.0.1:{free_port()}"},
        {"nodepool": f"{lab.url}/html"},
        {"nodepool": f"{lab.url}/missing"},
        {"nodepool": good, "clouds": "file:wrong.yaml"},
        {"nodepool": good, "clouds": "file:bad.yaml"},
        {"nodepool": good, "clouds": "file:no.yaml"},
        {"nodepool": good, "cloud": "elsewhere"},
        {"nodepool": good},
    ]
    outcome = lab.check(tmp_path, *entries)
    found = outcome.of("image-served")
    assert [status for _, status, _ in found] == ["error"] * 7 + ["pass"]
    said = [message for _, _, message in found]
    assert said[0].endswith("/dib-image-list: no connection to 127.0.0.1: refused, nobody listens there")
    assert "html/dib-image-list: answers with something else than JSON" in said[1]
    assert said[2].endswith("missing/dib-image-list: answers HTTP status 404")
    assert said[3] == "the identity service of internal does not let this account in"
    assert said[4] == "file:bad.yaml: the cloud 'internal': auth.auth_url: missing, or not what is wanted"
    assert said[5] == "file:no.yaml is no clouds.yaml"
    assert said[6].endswith("clouds.yaml knows no cloud 'elsewhere'")
    assert "s3cret" not in (tmp_path / "readiness.json").read_text()


@pytest.fixture(scope="module")
def zuul(image_folder: Path) -> Zuul:
    return install(image_folder / "zuul")


def zuul_says(lab: Lab, zuul: Zuul, cases: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Let a Zuul for each of the cases say this of the image; return their URLs."""
    command = [str(zuul.folder / "bin/python"), str(Path(__file__).with_name("zuul_images.py")), IMAGE]
    said = subprocess.run(command, input=json.dumps(cases), check=True, stdout=subprocess.PIPE, text=True).stdout
    for name, answer in json.loads(said).items():
        place = lab.folder / "served" / name / "api/tenant" / TENANT
        place.mkdir(parents=True)
        (place / "images").write_text(json.dumps(answer))
    return [f"{lab.url}/{name}" for name in cases]


def zuul_upload(number: int, sha256: str | None, *, identity: str = "one", **more: Any) -> dict[str, Any]:
    artifact = {"build_uuid": f"build{number}", "format": more.pop("format", "qcow2"), "sha256": sha256}
    artifact |= {"timestamp": number, "_state": "ready"}
    known = {"external_id": identity, "endpoint_name": PROVIDER, "validated": True, "_state": "ready"}
    return {"artifact": artifact, "timestamp": number, **known, **more}


def test_zuul_says_what_it_starts_nodes_from(lab: Lab, zuul: Zuul, tmp_path: Path) -> None:
    ours, other = digest(lab.file("one")), digest(lab.file("two"))
    new = zuul_upload(3, other, identity="two", validated=False)
    cases = {
        "zuul-good": [zuul_upload(1, other), zuul_upload(2, ours), new],
        "zuul-other": [zuul_upload(1, ours), zuul_upload(2, other, identity="two")],
        "zuul-none": [new, zuul_upload(4, ours, _state="uploading"), zuul_upload(5, ours, endpoint_name="elsewhere")],
        "zuul-raw": [zuul_upload(1, ours, format="raw")],
        "zuul-silent": [zuul_upload(1, None)],
    }
    entries = [{"zuul": url, "tenant": TENANT} for url in zuul_says(lab, zuul, cases)]
    cloud = {"clouds": f"file:{lab.cloud.clouds_yaml}", "cloud": "internal"}
    found = lab.check(tmp_path, *entries, {**entries[0], **cloud}, {**entries[4], **cloud}).of("image-served")
    assert [status for _, status, _ in found] == ["pass", "fail", "fail", "error", "error", "pass", "pass"]
    said = [message for _, _, message in found]
    ready = "nodes are started from image one of build build2"
    assert said[0] == f"{ready}: the sha256 that the uploader gave ({ours}) is that of the file"
    assert said[1].endswith(f"image two of build build2: that is another one, with the sha256 {other}")
    assert said[2] == "no upload is ready (not validated, uploading)"
    assert "it is raw there, and the file is qcow2" in said[3]
    assert said[4].endswith("nobody tells a checksum of it")
    assert said[5].endswith("and the sha512 of what the cloud stores are that of the file")


def test_an_endless_catalogue_of_services_is_refused(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"service-{number}": "https://service.internal" for number in range(MAX_TOKEN // 64)}
    monkeypatch.setattr(lab.cloud, "elsewhere", many)
    status, message = lab.says(tmp_path, {"nodepool": lab.nodepool("endless", [upload(1, identity="one")])})
    assert status == "error"
    assert message.endswith("more than 1 MiB")
