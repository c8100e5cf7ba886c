"""The line Storage, against a real registry and real indices: once green, and once red for each way to fail."""

import base64
import hashlib
import json
import lzma
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import bcrypt
import pytest
import yaml

from tests.elements.pki import Issued, make_ca, make_server
from tests.functional.ports import free_port
from tests.functional.readiness_images import put_image
from tests.functional.readiness_lab import Outcome, dnsmasq, nginx, presenting, readiness
from tests.functional.registry import Registry, registry
from tests.functional.traces import FORGET_LOOPS

BASE, OURS, ARM = os.urandom(200_000), os.urandom(30_000), os.urandom(40_000)
"""Layers: of random bytes, for a registry stores them as they are sent."""
ROOM = {"path": "/tmp"}
MIRROR = "mirror.internal"


@dataclass(frozen=True)
class Lab:
    """A registry with images, ``sizes`` of each in bytes, and a mirror with indices; ``root`` is their CA."""

    folder: Path
    root: Issued
    registry: Registry
    sizes: dict[str, int]
    mirror: str

    def image(self, name: str, *platforms: str) -> dict[str, Any]:
        more = {"platforms": list(platforms)} if platforms else {}
        return {"image": f"127.0.0.1:{self.registry.port}/{name}", **more}

    def check(self, folder: Path, **storage: Any) -> Outcome:
        certificates = {"bundle": str(self.folder / "root.pem")}
        more = {"dns": storage.pop("dns")} if "dns" in storage else {}
        storage.setdefault("mirrors", [ROOM])
        return readiness(folder, storage=storage, certificates=certificates, limits={"timeout": 10}, **more)


def stanza(name: str, size: int, depends: str = "", provides: str = "") -> str:
    digest = hashlib.sha256(name.encode()).hexdigest()
    more = "".join(f"{key}: {value}\n" for key, value in (("Depends", depends), ("Provides", provides)) if value)
    return f"Package: {name}\nVersion: 1\nArchitecture: amd64\n{more}Size: {size}\nSHA256: {digest}\n\n"


INDEX = (
    stanza("podman", 1000, "libc6 (>= 2.36), crun | runc (>= 1.0), conmon:any", "container-engine (= 5)")
    + stanza("libc6", 500)
    + stanza("runc", 70, "libc6")
    + stanza("conmon", 6)
    + stanza("other", 10_000, "container-engine")
    + stanza("broken", 1, "nowhere | nobody (>= 2)")
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("storage")
    root = make_ca("Storage root")
    (folder / "root.pem").write_bytes(root.cert_pem)
    served = folder / "served"
    served.mkdir()
    (served / "Packages.xz").write_bytes(lzma.compress(INDEX.encode()))
    (served / "second").write_text(INDEX + stanza("more", 4000))
    (served / "damaged.xz").write_bytes(lzma.compress(INDEX.encode())[:-40])
    server = make_server(root, ["127.0.0.1", MIRROR])
    settings = f"location /served/ {{ root {folder}; }} location /away {{ return 302 http://127.0.0.1:1/x; }}"
    settings += "absolute_redirect off; location /moved/ { return 302 /served/Packages.xz; }"
    with (
        registry(folder / "registry", server, root) as running,
        nginx(folder, {"mirror": presenting(server, settings=settings)}) as ports,
    ):
        certificates = running.folder / "certs"
        certificates.mkdir()
        (certificates / "ca.crt").write_bytes(root.cert_pem)
        images: dict[str, dict[str, list[bytes]]] = {
            "kolla/base:1": {"linux/amd64": [BASE]},
            "kolla/nova:1": {"linux/amd64": [BASE, OURS]},
            "kolla/multi:1": {"linux/amd64": [BASE], "linux/arm64": [ARM]},
            "kolla/variants:1": {"linux/arm64/v8": [ARM], "linux/arm/v6": [OURS], "linux/amd64": [BASE]},
            "kolla/variant:1": {"linux/arm64/v8": [ARM]},
        }
        sizes = {
            name: put_image(running, name, platforms, folder / f"layout-{number}")
            for number, (name, platforms) in enumerate(images.items())
        }
        yield Lab(folder, root, running, sizes, f"https://127.0.0.1:{ports['mirror']}/served")


def test_everything_is_as_it_should_be(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(
        tmp_path,
        images=[lab.image("kolla/base:1"), lab.image("kolla/multi:1", "linux/amd64", "linux/arm64")],
        packages=[{"index": f"{lab.mirror}/Packages.xz", "packages": ["podman"]}],
    )
    assert outcome.bad() == {}
    assert outcome.status == 0
    assert [message for _, _, message in outcome.of("storage-packages")] == ["4 packages, 1.5 KiB"]
    (room,) = [one for one in outcome.results if one["check"] == "storage-room"]
    assert f"images of 127.0.0.1:{lab.registry.port} 23" in room["expected"]
    assert room["actual"].endswith(" free)")
    assert "skopeo inspect --raw" in room["tried"]


def test_layers_that_images_share_are_counted_once(lab: Lab, tmp_path: Path) -> None:
    images = [lab.image("kolla/base:1"), lab.image("kolla/nova:1")]
    outcome = lab.check(tmp_path, images=images, mirrors=[{"quota": "1 B"}], factor=1)
    (found,) = [one for one in outcome.results if one["check"] == "storage-room"]
    once = sum(lab.sizes[f"kolla/{name}:1"] for name in ("base", "nova")) - len(BASE)
    assert found["status"] == "fail"
    assert found["expected"].startswith(f"{once / 1024:.1f} KiB: 1 times {once / 1024:.1f} KiB")
    twice = lab.check(tmp_path, images=images, mirrors=[{"quota": f"{2 * once - 1} B"}])
    assert f"KiB for {2 * once / 1024:.1f} KiB: 2 times {once / 1024:.1f} KiB" in twice.bad()["storage-room"]
    assert lab.check(tmp_path, images=images, mirrors=[{"quota": f"{2 * once} B"}]).bad() == {}


@pytest.mark.parametrize(("packages", "size"), [(None, 11_577), (["podman"], 1_576), (["other"], 11_576)])
def test_a_whole_index_or_packages_with_what_they_depend_on(
    lab: Lab, tmp_path: Path, packages: list[str] | None, size: int
) -> None:
    source = {"index": f"{lab.mirror}/Packages.xz", **({"packages": packages} if packages else {})}
    fits = lab.check(tmp_path, packages=[source], mirrors=[{"quota": f"{size} B"}], factor=1)
    assert fits.bad() == {}
    short = lab.check(tmp_path, packages=[source], mirrors=[{"quota": f"{size - 1} B"}], factor=1)
    assert set(short.bad()) == {"storage-room"}


def test_a_package_that_two_indices_list_is_counted_once(lab: Lab, tmp_path: Path) -> None:
    sources = [{"index": f"{lab.mirror}/Packages.xz"}, {"index": str(lab.folder / "served" / "second")}]
    outcome = lab.check(tmp_path, packages=sources, mirrors=[{"quota": "15577 B"}], factor=1)
    assert outcome.bad() == {}


@pytest.mark.parametrize("platform", ["linux/arm64", "linux/arm64/v8"])
@pytest.mark.parametrize("name", ["multi", "variants", "variant"])
def test_a_variant_that_goes_without_saying(lab: Lab, tmp_path: Path, name: str, platform: str) -> None:
    platforms = [platform] if name == "variant" else [platform, "linux/amd64/v1"]
    outcome = lab.check(tmp_path, images=[lab.image(f"kolla/{name}:1", *platforms)])
    assert outcome.bad() == {}
    size = len(ARM) + (0 if name == "variant" else len(BASE))
    ((_, _, said),) = outcome.of("storage-images")
    assert size < float(said.split()[0]) * 1024 < size + 3000


def test_a_variant_that_is_another_one(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(tmp_path, images=[lab.image("kolla/variants:1", "linux/arm/v7", "linux/arm64/v9")])
    assert outcome.bad()["storage-images"] == (
        "has nothing for linux/arm/v7, linux/arm64/v9; it is for linux/amd64, linux/arm/v6, linux/arm64/v8"
    )


def test_what_is_missing_is_told(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.check(
        tmp_path,
        images=[lab.image("kolla/base:1", "linux/arm64"), lab.image("kolla/multi:1", "linux/s390x")],
        packages=[{"index": f"{lab.mirror}/Packages.xz", "packages": ["podmam", "broken"]}],
    )
    assert [message for _, _, message in outcome.of("storage-images")] == [
        "has nothing for linux/arm64; it is for linux/amd64",
        "has nothing for linux/s390x; it is for linux/amd64, linux/arm64",
    ]
    assert outcome.bad()["storage-packages"] == (
        "the index has no podmam; nothing in the index satisfies broken: nowhere | nobody"
    )
    base, multi = (f"127.0.0.1:{lab.registry.port}/kolla/{name}:1" for name in ("base", "multi"))
    assert outcome.bad()["storage-room"] == (
        f"could not tell: the size of {base} for linux/arm64: see storage-images;"
        f" the size of {multi} for linux/s390x: see storage-images;"
        f" the size of what is not in {lab.mirror}/Packages.xz: see storage-packages"
    )
    assert outcome.status == 3


def test_names_of_mirrors_come_from_the_internal_resolvers(lab: Lab, tmp_path: Path) -> None:
    """And a redirection within the mirror is followed."""
    index = f"{lab.mirror}/".replace("127.0.0.1", MIRROR).replace("/served/", "/moved/Packages.xz")
    with dnsmasq(f"--host-record={MIRROR},127.0.0.1") as resolver:
        dns = {"resolvers": [resolver]}
        assert lab.check(tmp_path, packages=[{"index": index}], dns=dns).bad() == {}
        lost = index.replace(MIRROR, "mirrors.internal")
        outcome = lab.check(tmp_path, packages=[{"index": lost}], dns=dns)
    assert outcome.bad()["storage-packages"] == f"{lost}: mirrors.internal does not resolve ({resolver}: REFUSED)"
    (found,) = [one for one in outcome.results if one["check"] == "storage-packages"]
    assert found["hint"] == "add it to the zone, or correct the factory.yaml: see dns-names"


def test_what_cannot_be_asked_is_no_verdict_and_hides_nothing(lab: Lab, tmp_path: Path) -> None:
    dead = free_port()
    index = {"index": f"{lab.mirror}/Packages.xz"}
    bad = [
        {"index": f"https://127.0.0.1:{dead}/Packages"},
        {"index": f"{lab.mirror}/nothing"},
        {"index": f"{lab.mirror}/damaged.xz"},
        {"index": lab.mirror.replace("/served", "/away")},
    ]
    images = [lab.image("kolla/base:1"), lab.image("kolla/none:1"), {"image": f"127.0.0.1:{dead}/a:1"}]
    outcome = lab.check(tmp_path, images=images, packages=[index, *bad], mirrors=[ROOM, {"path": "/nowhere"}])
    assert [status for _, status, _ in outcome.of("storage-images")] == ["pass", "error", "error"]
    packages = outcome.of("storage-packages")
    assert [status for _, status, _ in packages] == ["pass", *["error"] * 4]
    said = [message for _, _, message in packages[1:]]
    assert said[0].endswith(": no connection to 127.0.0.1: refused, nobody listens there")
    assert said[1].endswith("HTTP status 404")
    assert "damaged: " in said[2]
    assert said[3].endswith("redirects to http://127.0.0.1:1/x")
    room = outcome.bad()["storage-room"]
    assert room.startswith("could not tell: the size of 127.0.0.1:")
    assert "the room at /nowhere" in room
    assert outcome.status == 3


def test_too_much_is_too_much_even_if_not_everything_is_known(lab: Lab, tmp_path: Path) -> None:
    images = [lab.image("kolla/base:1"), lab.image("kolla/none:1")]
    outcome = lab.check(tmp_path, images=images, mirrors=[{"quota": "1 kB"}])
    assert [status for _, status, _ in outcome.of("storage-room")] == ["fail"]


def test_a_registry_and_a_mirror_of_another_ca_are_not_believed(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_bytes(make_ca("Other root").cert_pem)
    storage = {
        "images": [lab.image("kolla/base:1")],
        "packages": [{"index": f"{lab.mirror}/Packages.xz"}],
        "mirrors": [ROOM],
    }
    outcome = readiness(tmp_path, storage=storage, certificates={"bundle": "other.pem"})
    assert "certificate signed by unknown authority" in outcome.bad()["storage-images"]
    assert "its certificate does not verify" in outcome.bad()["storage-packages"]


TRUSTING: Final = f"""\
{FORGET_LOOPS}set -e
mount --bind "$1" /etc/ssl/certs/ca-certificates.crt
shift
exec "$@"
"""


def test_a_ca_that_only_this_host_trusts_is_not_in_the_bundle(lab: Lab, tmp_path: Path) -> None:
    """The host's store has the registry's CA in a mount namespace; without a bundle it is what counts."""
    (tmp_path / "other.pem").write_bytes(make_ca("Other root").cert_pem)
    factory: dict[str, Any] = {"version": 1, "name": "test"}
    factory["storage"] = {"images": [lab.image("kolla/base:1")], "mirrors": [ROOM]}
    wrapper = ["unshare", "--mount", "--propagation", "private", "sh", "-c", TRUSTING, "sh", f"{lab.folder}/root.pem"]
    command = [*wrapper, sys.executable, "-m", "diskimage_validator", "readiness", f"{tmp_path}/factory.yaml"]
    statuses = []
    for certificates in ({}, {"certificates": {"bundle": "other.pem"}}):
        (tmp_path / "factory.yaml").write_text(yaml.safe_dump({**factory, **certificates}))
        done = subprocess.run([*command, "--format", "json"], check=False, text=True, capture_output=True)
        results = json.loads(done.stdout)["results"]
        statuses += [(one["status"], one["message"]) for one in results if one["check"] == "storage-images"]
    (trusted, _), (status, message) = statuses
    assert (trusted, status) == ("pass", "error")
    assert message.endswith("certificate signed by unknown authority")


def test_a_registry_whose_name_this_host_does_not_know(lab: Lab, tmp_path: Path) -> None:
    """It is skopeo that asks, and only the resolvers of this host, whatever 'dns' says."""
    with dnsmasq("--host-record=registry.invalid,127.0.0.1") as resolver:
        image = {"image": f"registry.invalid:{lab.registry.port}/kolla/base:1"}
        outcome = lab.check(tmp_path, images=[image], dns={"resolvers": [resolver]})
    (found,) = [one for one in outcome.results if one["check"] == "storage-images"]
    assert found["status"] == "error"
    assert "lookup registry.invalid" in found["message"]
    assert found["hint"].startswith("skopeo asks the resolvers of this host, not those of 'dns'")


def test_credentials_come_from_a_secret(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = bcrypt.hashpw(b"hunter2", bcrypt.gensalt(4)).decode()
    (tmp_path / "htpasswd").write_text(f"reader:{password}\n")
    more = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}"
    with registry(tmp_path / "closed", make_server(lab.root, ["127.0.0.1"]), lab.root, more=more) as closed:
        image = {"image": f"127.0.0.1:{closed.port}/kolla/none:1"}
        nobody = lab.check(tmp_path, images=[image])
        token = base64.b64encode(b"reader:hunter2").decode()
        monkeypatch.setenv("AUTH", json.dumps({"auths": {f"127.0.0.1:{closed.port}": {"auth": token}}}))
        somebody = lab.check(tmp_path, images=[image], auth="env:AUTH")
    assert "authentication required" in nobody.bad()["storage-images"]
    assert "manifest unknown" in somebody.bad()["storage-images"]
    assert token not in (tmp_path / "readiness.json").read_text()
