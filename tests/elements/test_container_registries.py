"""What the element container-registries bakes, what it refuses, and that no client key gets out."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tests.elements.ca_bundle import bundle_env, save
from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot, Run
from tests.elements.pki import Issued, make_ca, make_server
from tests.elements.site import SITE, bake_site

ELEMENT = "container-registries"
RENDER = "root.d/05-container-registries"
INSTALL = "post-install.d/50-container-registries"
DROP_INS = "post-install.d/51-container-registries-drop-ins"
VERIFY = "finalise.d/90-container-registries-verify"
CA_CHECK = "root.d/01-trusted-ca-bundle-check"
REGISTRY = "registry.internal:5000"
KOLLA = {"prefix": "images.internal/kolla", "location": f"{REGISTRY}/mirror/kolla", "mirrors": ["cache.internal:5000"]}
TWO = {**SITE, "registries": [{"prefix": REGISTRY}, KOLLA], "search_registries": [REGISTRY]}
DOCKER = {"DIB_CONTAINER_ENGINE": "docker"}


def bake(root: FakeRoot, site: dict[str, Any], env: dict[str, str] | None = None) -> list[Run]:
    """Run the element's hooks as a build does."""
    bake_site(root, site)
    runs = [root.run_outside(RENDER, env), *(root.run_inside(hook, env) for hook in (INSTALL, DROP_INS, VERIFY))]
    assert all(run.ok for run in runs), [run.log for run in runs]
    return runs


def registries_conf(root: FakeRoot) -> dict[str, Any]:
    return tomllib.loads(root.read("/etc/containers/registries.conf"))


def with_client(folder: Path, client: Issued, key: bytes | None = None) -> dict[str, Any]:
    """A site whose registry wants a client certificate."""
    cert = save(folder / "client.crt", client.cert_pem)
    entry = {"client_cert": str(cert), "client_key": str(save(folder / "client.key", key or client.key_pem))}
    return {**SITE, "registries": [{"prefix": REGISTRY, **entry}]}


@pytest.fixture(scope="module")
def client() -> Issued:
    return make_server(make_ca("Client CA"), ["node.internal"])


@pytest.mark.parametrize("family", ["debian", "ubuntu", "redhat", "suse"])
def test_registries_conf_says_what_the_site_says(fake_root: MakeRoot, family: str) -> None:
    root = fake_root(ELEMENT, family)
    bake(root, TWO)
    assert registries_conf(root) == {
        "unqualified-search-registries": [REGISTRY],
        "short-name-mode": "enforcing",
        "registry": [
            {"prefix": REGISTRY, "location": REGISTRY},
            {"prefix": KOLLA["prefix"], "location": KOLLA["location"], "mirror": [{"location": "cache.internal:5000"}]},
        ],
    }


def test_every_table_has_the_prefix_that_use_buildset_registry_reads(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    bake(root, TWO)
    assert [table["prefix"] for table in registries_conf(root)["registry"]] == [REGISTRY, "images.internal/kolla"]


def test_policy_accepts_the_sites_registries_and_rejects_the_rest(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    bake(root, TWO)
    policy = json.loads(root.read("/etc/containers/policy.json"))
    assert policy["default"] == [{"type": "reject"}]
    assert policy["transports"]["docker"].keys() == {REGISTRY, "images.internal/kolla"}


def test_docker_has_mirrors_limits_and_no_insecure_registry(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    bake(root, TWO, {**DOCKER, "DIB_CONTAINER_REGISTRIES_DATA_ROOT": "/srv/docker"})
    assert json.loads(root.read("/etc/docker/daemon.json")) == {
        "data-root": "/srv/docker",
        "log-driver": "json-file",
        "log-opts": {"max-size": "50m", "max-file": "3"},
        "registry-mirrors": [f"https://{REGISTRY}"],
    }


def test_podman_gets_no_files_of_docker(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    bake(root, TWO, {"DIB_CONTAINER_ENGINE": "podman"})
    assert not root.exists("/etc/docker")
    assert not root.exists("/etc/buildkit")


def test_buildkit_gets_mirrors_authorities_and_the_client_key(
    fake_root: MakeRoot, tmp_path: Path, ca: Issued, client: Issued
) -> None:
    root = fake_root(ELEMENT)
    site = with_client(tmp_path, client)
    site["registries"][0]["mirrors"] = ["cache.internal:5000"]
    assert root.run_outside(CA_CHECK, bundle_env(save(tmp_path / "ca.pem", ca.cert_pem))).ok
    bake(root, site, DOCKER)
    folder = "/etc/docker/certs.d"
    assert tomllib.loads(root.read("/etc/buildkit/buildkitd.toml"))["registry"] == {
        "cache.internal:5000": {"ca": [f"{folder}/cache.internal:5000/ca.crt"]},
        REGISTRY: {
            "mirrors": ["cache.internal:5000"],
            "ca": [f"{folder}/{REGISTRY}/ca.crt"],
            "keypair": [{"key": f"{folder}/{REGISTRY}/client.key", "cert": f"{folder}/{REGISTRY}/client.cert"}],
        },
    }
    assert root.read(f"{folder}/{REGISTRY}/ca.crt") == ca.cert_pem.decode()
    assert root.read(f"{folder}/cache.internal:5000/ca.crt") == ca.cert_pem.decode()


def test_client_key_can_be_read_by_root_alone(fake_root: MakeRoot, tmp_path: Path, client: Issued) -> None:
    root = fake_root(ELEMENT)
    bake(root, with_client(tmp_path, client), DOCKER)
    for folder in (f"/etc/containers/certs.d/{REGISTRY}", f"/etc/docker/certs.d/{REGISTRY}"):
        assert root.read(f"{folder}/client.key") == client.key_pem.decode()
        assert root.mode(f"{folder}/client.key") == 0o600
        assert root.mode(f"{folder}/client.cert") == 0o644
        assert root.mode(folder) == 0o700
    rendered = list((root.hooks / ELEMENT / "files").rglob("*.key"))
    assert [path.stat().st_mode & 0o777 for path in rendered] == [0o600, 0o600]


def test_key_is_not_in_the_log_of_a_traced_build(fake_root: MakeRoot, tmp_path: Path, client: Issued) -> None:
    root = fake_root(ELEMENT)
    runs = bake(root, with_client(tmp_path, client), {**DOCKER, "DIB_DEBUG_TRACE": "1"})
    secret = client.key_pem.decode().splitlines()[1]
    for run in runs:
        assert "+ set -eu" in run.log
        assert secret not in run.log


def test_baking_twice_changes_nothing(fake_root: MakeRoot, tmp_path: Path, client: Issued) -> None:
    root = fake_root(ELEMENT)
    root.write("/etc/containers/registries.conf.d/shortnames.conf", '[aliases]\n"a" = "hub.example/a"\n')
    site = with_client(tmp_path, client)
    bake(root, site, DOCKER)
    first = root.tree()
    bake(root, site, DOCKER)
    assert root.tree() == first


def test_site_without_registries_leaves_the_distributions_files(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    root.write("/etc/containers/registries.conf.d/shortnames.conf", '[aliases]\n"a" = "hub.example/a"\n')
    before = root.tree()
    runs = bake(root, {**SITE, "registries": [], "search_registries": []})
    assert "names no registry" in runs[0].output
    assert root.tree() == before


def test_files_of_packages_are_replaced_and_their_drop_ins_emptied(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    root.write("/etc/containers/policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')
    drop_in = root.write("/etc/containers/registries.conf.d/000-shortnames.conf", '[aliases]\n"a" = "hub.example/a"\n')
    bake(root, TWO)
    assert json.loads(root.read("/etc/containers/policy.json"))["default"] == [{"type": "reject"}]
    assert tomllib.loads(drop_in.read_text()) == {}


def test_drop_in_of_a_later_hook_fails_the_build(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    bake(root, TWO)
    root.write("/etc/containers/registries.conf.d/99-late.conf", '[[registry]]\nprefix = "registry.internal:5000"\n')
    run = root.run_inside(VERIFY)
    assert run.status == 1
    assert "ERROR: container-registries: /etc/containers/registries.conf.d/99-late.conf overrules" in run.output


def refusal(root: FakeRoot, site: dict[str, Any], env: dict[str, str] | None = None) -> str:
    bake_site(root, site)
    run = root.run_outside(RENDER, env)
    assert run.status == 1
    assert "Traceback" not in run.output
    assert not (root.hooks / ELEMENT / "files").exists()
    return run.output


def test_key_of_another_certificate_is_refused(fake_root: MakeRoot, tmp_path: Path, client: Issued) -> None:
    other = make_server(make_ca("Other"), ["other.internal"])
    assert "client.key is not the key of" in refusal(
        fake_root(ELEMENT), with_client(tmp_path, client, key=other.key_pem)
    )


def test_key_with_a_password_is_refused_without_asking(fake_root: MakeRoot, tmp_path: Path, client: Issued) -> None:
    locked = client.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    assert "needs a password" in refusal(fake_root(ELEMENT), with_client(tmp_path, client, key=locked))


def test_two_client_certificates_for_one_host_are_refused(fake_root: MakeRoot, tmp_path: Path, client: Issued) -> None:
    site = with_client(tmp_path, client)
    second = {**site["registries"][0], "prefix": f"{REGISTRY}/other"}
    second["client_cert"] = str(save(tmp_path / "second.crt", client.cert_pem))
    site["registries"].append(second)
    assert f"{REGISTRY} has more than one client_cert" in refusal(fake_root(ELEMENT), site)


def test_relative_data_root_is_refused(fake_root: MakeRoot) -> None:
    env = {**DOCKER, "DIB_CONTAINER_REGISTRIES_DATA_ROOT": "docker"}
    assert "must be an absolute path" in refusal(fake_root(ELEMENT), TWO, env)
