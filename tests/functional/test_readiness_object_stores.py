"""Object stores, against a real S3 service and a real Swift: once green, and once red for each way to fail."""

import datetime
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.elements.pki import DAY, Issued, make_ca, make_server
from tests.functional.openstack_cloud import Cloud, openstack_cloud
from tests.functional.ports import free_port
from tests.functional.readiness_lab import Outcome, TlsServer, nginx, presenting, readiness
from tests.functional.s3_store import VERSIONS, S3Store, s3_store
from tests.functional.swift_store import SwiftStore, swift_store

USED = 3_000
"""Bytes in the bucket and in the container ``full``."""
QUOTA = 5_000


@dataclass(frozen=True)
class Lab:
    """Both services, the TLS servers in front of them, and clouds whose Keystone gives out tokens of Swift's."""

    folder: Path
    root: Issued
    ports: dict[str, int]
    s3: S3Store
    swift: SwiftStore
    clouds: dict[str, Cloud]

    def check(self, folder: Path, *stores: dict[str, Any], bundle: str = "root.pem", **more: Any) -> Outcome:
        certificates = {"bundle": str(self.folder / bundle)}
        more.setdefault("limits", {"timeout": 10})
        return readiness(folder, services={"object_stores": list(stores)}, certificates=certificates, **more)

    def bucket(self, bucket: str, user: str = "writer", server: str = "s3", **more: Any) -> dict[str, Any]:
        access = {name: f"file:{self.folder}/{user}.{name}" for name in ("access_key", "secret_key")}
        url = f"https://127.0.0.1:{self.ports[server]}"
        return {"name": "logs", "s3": {"url": url, "bucket": bucket, **access}, **more}

    def container(self, container: str, cloud: str = "admin", **more: Any) -> dict[str, Any]:
        clouds = f"file:{self.clouds[cloud].clouds_yaml}"
        return {"name": "logs", "swift": {"clouds": clouds, "cloud": "internal", "container": container}, **more}

    def left(self) -> list[str]:
        """Return the objects of ours that are somewhere."""
        self.s3.unlock()
        found = [self.s3.ask("GET", f"/{bucket}?versions&max-keys=1000") for bucket in ("plain", "versions")]
        self.s3.lock()
        found += [self.swift.ask("GET", f"/{container}") for container in ("plain", "full")]
        return re.findall(r"readiness-\w+", "".join(found))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("stores")
    root = make_ca("Stores root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    (folder / "other.pem").write_bytes(make_ca("Other root").cert_pem)
    good = make_server(root, ["127.0.0.1"])
    now = datetime.datetime.now(datetime.UTC)
    expired = make_server(root, ["127.0.0.1"], now - 30 * DAY, now - DAY)
    with (
        s3_store(folder / "s3") as s3,
        swift_store(folder / "swift") as swift,
        openstack_cloud(folder / "admin", good, root) as admin,
        openstack_cloud(folder / "reader", good, root) as reader,
    ):
        fill_s3(folder, s3)
        fill_swift(swift)
        proxies = {"s3": (good, s3.port), "expired": (expired, s3.port), "swift": (good, swift.port)}
        servers = {
            name: presenting(certificate, settings=f"location ~ ^/. {{ {proxy(port)} }}")
            for name, (certificate, port) in proxies.items()
        }
        with socket.create_server(("127.0.0.1", 0)) as silent, nginx(folder, servers | mute(good, s3, silent)) as ports:
            for name, cloud in (("admin", admin), ("reader", reader)):
                cloud.elsewhere["object-store"] = f"https://127.0.0.1:{ports['swift']}/v1/AUTH_ci"
                cloud.token = swift.token(name)
            yield Lab(folder, root, ports, s3, swift, {"admin": admin, "reader": reader})


def mute(certificate: Issued, s3: S3Store, silent: socket.socket) -> dict[str, TlsServer]:
    """Return servers that pass on everything but one kind of request, which nobody answers."""
    settings = "location ~ ^/. {{ if ($request_method = {0}) {{ proxy_pass http://127.0.0.1:{1}; }} {2} }}"
    return {
        f"mute-{method}": presenting(
            certificate, settings=settings.format(method, silent.getsockname()[1], proxy(s3.port))
        )
        for method in ("PUT", "GET", "DELETE")
    }


def proxy(port: int) -> str:
    return f"proxy_pass http://127.0.0.1:{port}; proxy_set_header Host $http_host;"


def fill_s3(folder: Path, s3: S3Store) -> None:
    for bucket in ("plain", "versions"):
        s3.ask("PUT", f"/{bucket}")
    s3.ask("PUT", "/versions?versioning", VERSIONS)
    s3.ask("PUT", "/plain/one", b"x" * (USED - 1000))
    s3.ask("PUT", "/plain/two", b"x" * 1000)
    s3.user("writer", "s3:*")
    s3.user("reader", "s3:Get*", "s3:List*")
    s3.user("nobody", "s3:ListAllMyBuckets")
    keys = {**s3.keys, "wrong": (s3.keys["writer"][0], "not+the/secret"), "unknown": ("AKIANOBODY", "x")}
    for name, (access, secret) in keys.items():
        (folder / f"{name}.access_key").write_text(f"{access}\n")
        (folder / f"{name}.secret_key").write_text(f"{secret}\n")
    (folder / "odd.access_key").write_text("two words\r\nX-Injected: yes")
    (folder / "odd.secret_key").write_text("x")
    s3.lock()


def fill_swift(swift: SwiftStore) -> None:
    swift.ask("PUT", "/plain", X_Container_Read="ci:reader")
    swift.ask("PUT", "/full", X_Container_Meta_Quota_Bytes=str(QUOTA), X_Container_Read="ci:reader")
    swift.ask("PUT", "/full/one", b"x" * USED)
    swift.ask("PUT", "/tight", X_Container_Meta_Quota_Bytes="10")


def test_a_bucket_is_there_and_gives_back_what_is_written(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.bucket("plain", write=True))
    assert outcome.bad() == {}
    message = "the bucket plain is there, and gives back what was written"
    assert outcome.of("object-store") == [("logs", "pass", message)]
    (found,) = [one for one in outcome.results if one["check"] == "object-store"]
    assert "WRITE a small object" in found["tried"]
    secret = (lab.folder / "writer.secret_key").read_text().strip()
    assert secret not in (tmp_path / "readiness.json").read_text()
    assert lab.left() == []


def test_of_a_bucket_with_versions_nothing_is_left(lab: Lab, tmp_path: Path) -> None:
    assert lab.check(tmp_path, lab.bucket("versions", write=True)).bad() == {}
    assert lab.left() == []


def test_without_write_reading_is_enough(lab: Lab, tmp_path: Path) -> None:
    stores = [lab.bucket("plain", "reader"), {**lab.container("plain", "reader"), "name": "other"}]
    outcome = lab.check(tmp_path, *stores)
    assert outcome.bad() == {}
    assert [message for _, _, message in outcome.of("object-store")] == [
        "the bucket plain is there",
        "the container plain is there",
    ]


@pytest.mark.parametrize(
    ("bucket", "user", "message"),
    [
        ("none", "writer", "there is no bucket 'none'"),
        ("plain", "wrong", "the secret key is wrong (SignatureDoesNotMatch)"),
        ("plain", "unknown", "the access key is not known (InvalidAccessKeyId)"),
        ("plain", "nobody", "this account may not do that (AccessDenied)"),
        ("plain", "reader", "cannot write into it: this account may not do that (AccessDenied)"),
    ],
)
def test_a_bucket_that_cannot_be_used(lab: Lab, tmp_path: Path, bucket: str, user: str, message: str) -> None:
    outcome = lab.check(tmp_path, lab.bucket(bucket, user, write=True))
    assert outcome.of("object-store") == [("logs", "fail", message)]
    assert outcome.status == 1
    assert lab.left() == []


def test_a_key_that_cannot_be_one_is_no_verdict_and_is_not_told(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.bucket("plain", "odd"), {**lab.bucket("plain", "missing"), "name": "other"})
    assert [status for _, status, _ in outcome.of("object-store")] == ["error", "error"]
    assert outcome.of("object-store")[0][2].endswith("odd.access_key is no key of S3")
    assert "words" not in (tmp_path / "readiness.json").read_text()
    assert outcome.status == 3


def test_an_expired_certificate_and_another_ca_are_not_believed(lab: Lab, tmp_path: Path) -> None:
    expired = lab.check(tmp_path, lab.bucket("plain", server="expired"))
    assert expired.bad()["object-store"].endswith("its certificate does not verify: certificate has expired")
    stores = [lab.bucket("plain"), {**lab.container("plain"), "name": "other"}]
    foreign = lab.check(tmp_path, *stores, bundle="other.pem")
    assert ["its certificate does not verify" in said for _, _, said in foreign.of("object-store")] == [True, True]
    assert [status for _, status, _ in foreign.of("object-store")] == ["fail", "fail"]


def test_a_container_is_there_and_gives_back_what_is_written(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.container("full", write=True))
    assert outcome.bad() == {}
    message = "the container full is there, and gives back what was written"
    assert outcome.of("object-store") == [("logs", "pass", message)]
    assert lab.clouds["admin"].password not in (tmp_path / "readiness.json").read_text()
    assert lab.left() == []


@pytest.mark.parametrize(
    ("container", "cloud", "message"),
    [
        ("none", "admin", "there is no container 'none'"),
        ("tight", "reader", "this account may not do that (HTTP status 403)"),
        ("plain", "reader", "cannot write into it: this account may not do that (HTTP status 403)"),
    ],
)
def test_a_container_that_cannot_be_used(lab: Lab, tmp_path: Path, container: str, cloud: str, message: str) -> None:
    outcome = lab.check(tmp_path, lab.container(container, cloud, write=True))
    assert outcome.of("object-store") == [("logs", "fail", message)]
    assert outcome.status == 1


def test_a_container_whose_quota_is_used_up(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.container("tight", write=True))
    assert outcome.bad()["object-store"] == "cannot write into it: the quota is used up (HTTP status 413)"


def test_clouds_that_let_nobody_in(lab: Lab, tmp_path: Path) -> None:
    document = yaml.safe_load(lab.clouds["admin"].clouds_yaml.read_text())
    document["clouds"]["internal"]["auth"]["password"] = "not-the-passw0rd"
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(document))
    document["clouds"]["internal"]["region_name"] = "RegionTwo"
    document["clouds"]["internal"]["auth"]["password"] = lab.clouds["admin"].password
    (tmp_path / "region.yaml").write_text(yaml.safe_dump(document))
    base = lab.container("plain")
    stores = [
        {"name": name, "swift": {**base["swift"], "clouds": f"file:{name}.yaml"}} for name in ("wrong", "region", "no")
    ]
    outcome = lab.check(tmp_path, *stores)
    wrong, region, missing = outcome.of("object-store")
    assert wrong == ("wrong", "fail", "the identity service of internal does not let this account in")
    assert region == ("region", "fail", "the cloud's catalogue has no service 'object-store'")
    assert missing[1] == "error"
    assert "No such file" in missing[2]
    assert "passw0rd" not in (tmp_path / "readiness.json").read_text()


@pytest.mark.parametrize(
    ("server", "message"),
    [("mute-PUT", "cannot write into it: 127"), ("mute-GET", "cannot read what was written: 127")],
)
def test_a_service_that_falls_silent_keeps_nothing(lab: Lab, tmp_path: Path, server: str, message: str) -> None:
    outcome = lab.check(tmp_path, lab.bucket("plain", server=server, write=True), limits={"timeout": 1})
    ((_, status, said),) = outcome.of("object-store")
    assert status == "fail"
    assert said.startswith(message)
    assert said.endswith("silent, no whole answer within 1 s")
    assert lab.left() == []


def test_what_cannot_be_removed_is_told(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, lab.bucket("plain", server="mute-DELETE", write=True), limits={"timeout": 1})
    (there, left) = outcome.of("object-store")
    (name,) = lab.left()
    lab.s3.unlock()
    lab.s3.ask("DELETE", f"/plain/{name}")
    lab.s3.lock()
    assert there[1] == "pass"
    assert left[1] == "fail"
    assert left[2].startswith(f"the object {name} may be left there: 127.0.0.1:")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_leaves_nothing(lab: Lab, tmp_path: Path, number: signal.Signals, status: int) -> None:
    stores = [lab.bucket("plain", server="mute-GET", write=True)]
    certificates = {"bundle": str(lab.folder / "root.pem")}
    document = {"version": 1, "name": "ends", "services": {"object_stores": stores}, "certificates": certificates}
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump({**document, "limits": {"timeout": 2}}))
    command = [sys.executable, "-m", "diskimage_validator", "readiness", str(tmp_path / "factory.yaml"), "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + 20
            while not lab.left():
                assert time.monotonic() < deadline, "nothing was written"
                time.sleep(0.1)
            process.send_signal(number)
            said = process.communicate(timeout=20)[1]
        finally:
            process.kill()
    assert process.returncode == status
    assert b"Traceback" not in said
    assert lab.left() == []


def test_one_dead_service_does_not_hide_the_other(lab: Lab, tmp_path: Path) -> None:
    dead = lab.bucket("plain")
    dead["s3"]["url"] = f"https://127.0.0.1:{free_port()}"
    outcome = lab.check(tmp_path, {**dead, "name": "dead"}, lab.container("plain"))
    assert [(name, status) for name, status, _ in outcome.of("object-store")] == [("dead", "fail"), ("logs", "pass")]
    assert outcome.of("object-store")[0][2].endswith(": no connection to 127.0.0.1: refused, nobody listens there")


# What the mirrors of ``storage`` may take of them.

INDEX = "Package: one\nVersion: 1\nArchitecture: all\nSize: {size}\nSHA256: " + "0" * 64 + "\n\n"


def room(lab: Lab, folder: Path, size: int, *mirrors: dict[str, Any], stores: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what is said of mirrors that have to hold ``size`` bytes."""
    (folder / "Packages").write_text(INDEX.format(size=size))
    storage = {"packages": [{"index": str(folder / "Packages")}], "mirrors": list(mirrors), "factor": 1}
    outcome = lab.check(folder, *stores, storage=storage)
    (found,) = [one for one in outcome.results if one["check"] == "storage-room"]
    return found


@pytest.mark.parametrize(("size", "status"), [(QUOTA - USED, "pass"), (QUOTA - USED + 1, "fail")])
def test_a_quota_of_swift_is_asked(lab: Lab, tmp_path: Path, size: int, status: str) -> None:
    found = room(lab, tmp_path, size, {"object_store": "logs"}, stores=[lab.container("full")])
    assert (found["status"], found["actual"]) == (status, "2.0 KiB (logs: 2.0 KiB left)")
    assert "HEAD the container full and its account, for their quotas" in found["tried"]


def test_two_containers_share_the_quota_of_their_account(lab: Lab, tmp_path: Path) -> None:
    stores = [{**lab.container(name), "name": name} for name in ("full", "plain")]
    mirrors = [{"object_store": name} for name in ("full", "plain", "full")]
    lab.swift.ask("POST", X_Account_Meta_Quota_Bytes=str(USED + 4_000))
    try:
        found = room(lab, tmp_path, 5_000, *mirrors, stores=stores)
    finally:
        lab.swift.ask("POST", X_Account_Meta_Quota_Bytes="")
    # 4000 are left of the account; 2000 of them fit into one container, the rest into the other.
    places = "full: 2.0 KiB left; plain: 2.0 KiB left; full: the same object store"
    assert (found["status"], found["actual"]) == ("fail", f"3.9 KiB ({places})")


def test_what_is_in_a_bucket_is_taken_off_the_stated_quota(lab: Lab, tmp_path: Path) -> None:
    mirror = {"object_store": "logs", "quota": f"{QUOTA} B"}
    fits = room(lab, tmp_path, QUOTA - USED, mirror, stores=[lab.bucket("plain", "reader")])
    assert fits["status"] == "pass"
    short = room(lab, tmp_path, QUOTA - USED + 1, mirror, stores=[lab.bucket("plain", "reader")])
    assert (short["status"], short["actual"]) == ("fail", "2.0 KiB (logs: 2.0 KiB left)")


def test_a_bucket_that_holds_too_much_to_be_listed(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.readiness.probes.s3.MAX_PAGES", 1)
    mirror = {"object_store": "logs", "quota": "1 GB"}
    found = room(lab, tmp_path, 1, mirror, stores=[lab.bucket("plain", "reader")])
    assert found["status"] == "error"
    assert "the room in logs: the bucket plain holds too much to be listed" in found["message"]


def test_a_room_that_cannot_be_told_is_no_verdict(lab: Lab, tmp_path: Path) -> None:
    stores = {
        "it has no quota, and none is stated ('quota')": lab.container("plain"),
        "there is no such container (HTTP status 404)": lab.container("none"),
        "the account's quota: HTTP status 403": lab.container("full", "reader"),
        "the secret key is wrong (SignatureDoesNotMatch)": lab.bucket("plain", "wrong"),
    }
    for message, store in stores.items():
        found = room(lab, tmp_path, 1, {"object_store": "logs"}, stores=[store])
        assert found["status"] == "error"
        assert f"the room in logs: {message}" in found["message"]
