"""Programs with a bundle of their own trust the CAs: each is run for real against a TLS server of the CA."""

import shutil
import sys
import zipfile
from pathlib import Path

import pytest

from tests.elements.ca_bundle import BUNDLE, ELEMENT, FOLDER, bake, bundle_env, root_with_tools, save
from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot
from tests.elements.pki import Issued, make_server

PIP = "pre-install.d/04-trusted-ca-bundle-pip"
ENVIRONMENT = "post-install.d/60-trusted-ca-bundle-environment"
SUDO = "post-install.d/61-trusted-ca-bundle-sudo"
CONTAINERS = "post-install.d/62-trusted-ca-bundle-containers"
JAVA = "finalise.d/92-trusted-ca-bundle-verify-java"
CONSUMERS = (PIP, ENVIRONMENT, SUDO, CONTAINERS)
VARIABLES = ("NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
BUNDLE_IN_DEBIAN = BUNDLE["debian"]
SITE_PACKAGES = Path(sys.prefix) / f"lib/python3.{sys.version_info.minor}/site-packages"

SERVER = """\
import functools, http.server, ssl, subprocess, sys, threading
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tmp/server.pem")
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory="/tmp/www")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.exit(subprocess.run(sys.argv[1:], timeout=60).returncode)
"""
WITH_ENVIRONMENT = "set -a; . /etc/environment; set +a\n"
CLIENTS = {
    "curl": "curl -sSf -o /dev/null https://127.0.0.1:8443/",
    "git": "git ls-remote https://127.0.0.1:8443/repository.git",
    "pip": "PYTHONPATH=/tmp/packages python3 -m pip download --no-cache-dir -d /tmp/got "
    "--index-url https://127.0.0.1:8443/simple demo",
    "requests": WITH_ENVIRONMENT + "PYTHONPATH=/tmp/packages python3 -c 'from pip._vendor import requests; "
    'requests.get("https://127.0.0.1:8443/").raise_for_status()\'',
    "node": WITH_ENVIRONMENT + 'node -e \'require("https").get("https://127.0.0.1:8443/", answer => answer.resume())\'',
    "a python with no store of its own": WITH_ENVIRONMENT
    + "python3 -c 'import ssl, urllib.request; urllib.request.urlopen(\"https://127.0.0.1:8443/\")'",
}


def serve(root: FakeRoot, ca: Issued) -> None:
    """Put a TLS server of the CA into the root, with a page, a git repository and a package index."""
    server = make_server(ca, ["127.0.0.1"])
    root.write("/tmp/server.pem", server.cert_pem + server.key_pem)
    root.write("/tmp/serve.py", SERVER)
    root.write("/tmp/www/simple/demo/index.html", '<a href="demo-1-py3-none-any.whl">demo-1-py3-none-any.whl</a>')
    with zipfile.ZipFile(root.path / "tmp/www/simple/demo/demo-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("demo-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1\n")
        wheel.writestr("demo-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("demo-1.dist-info/RECORD", "")


def add_client(root: FakeRoot, command: str) -> str:
    """Add a hook that runs a client beside the server, without any variable of the host's; return its name."""
    root.write("/tmp/client", f"#!/bin/bash\nset -e\n{command}\n", 0o755)
    repository = "git init -q --bare /tmp/www/repository.git; git -C /tmp/www/repository.git update-server-info"
    run = "env -i PATH=/usr/bin:/usr/sbin HOME=/root python3 /tmp/serve.py /tmp/client"
    root.add_hook("install.d/99-client", f"set -e\nip link set lo up\n{repository}\n{run}")
    return "install.d/99-client"


def bake_consumers(root: FakeRoot, *files: Path, env: dict[str, str] | None = None) -> None:
    bake(root, *files)
    for hook in CONSUMERS:
        run = root.run_inside(hook, {**bundle_env(*files), **(env or {})})
        assert run.ok, run.output


@pytest.mark.parametrize("client", CLIENTS)
def test_client_trusts_a_server_of_the_ca(fake_root: MakeRoot, tmp_path: Path, ca: Issued, client: str) -> None:
    root = fake_root(ELEMENT)
    serve(root, ca)
    root.write("/etc/environment", "")
    if "packages" in CLIENTS[client]:
        shutil.copytree(SITE_PACKAGES / "pip", root.path / "tmp/packages/pip")
    hook = add_client(root, CLIENTS[client])
    before = root.run_inside(hook)
    assert not before.ok
    assert "certificate" in before.output
    bake_consumers(root, save(tmp_path / "ca.pem", ca.cert_pem))
    after = root.run_inside(hook)
    assert after.ok, after.output


@pytest.mark.parametrize("family", FOLDER)
def test_every_place_names_the_bundle_of_the_family(
    fake_root: MakeRoot, tmp_path: Path, ca: Issued, family: str
) -> None:
    root = root_with_tools(fake_root, family)
    (root.path / "etc/containers").mkdir()
    bake_consumers(root, save(tmp_path / "ca.pem", ca.cert_pem))
    bundle = BUNDLE[family]
    expected = {f"{name}={bundle}" for name in VARIABLES}
    assert set(root.read("/etc/environment").splitlines()) == expected
    system = root.read("/etc/systemd/system.conf.d/50-trusted-ca-bundle.conf").splitlines()
    assert system[0] == "[Manager]"
    assert set(system[1:]) == {f"DefaultEnvironment={line}" for line in expected}
    assert root.read("/etc/containers/mounts.conf") == f"{bundle}:/run/trusted-ca-bundle.pem\n"
    assert root.read("/etc/xdg/pip/pip.conf") == f"[global]\ncert = {bundle}\n"


@pytest.mark.parametrize(
    "context",
    [
        "env -i sh -c '. /etc/profile.d/trusted-ca-bundle.sh; env'",
        "env -i su -s /usr/bin/env nobody",
        "env -i REQUESTS_CA_BUNDLE=$B SSL_CERT_FILE=$B NODE_EXTRA_CA_CERTS=$B /usr/bin/sudo -n /usr/bin/env",
    ],
    ids=["login shell", "PAM session", "sudo"],
)
def test_variables_reach(fake_root: MakeRoot, tmp_path: Path, ca: Issued, context: str) -> None:
    root = fake_root(ELEMENT)
    bake_consumers(root, save(tmp_path / "ca.pem", ca.cert_pem))
    root.add_hook("install.d/99-show", f"B={BUNDLE_IN_DEBIAN}\n{context}")
    run = root.run_inside("install.d/99-show")
    assert run.ok, run.output
    assert {f"{name}={BUNDLE_IN_DEBIAN}" for name in VARIABLES} <= set(run.output.splitlines())


def test_sudo_would_drop_the_variables_otherwise(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    root.add_hook("install.d/99-show", "env -i SSL_CERT_FILE=/x /usr/bin/sudo -n /usr/bin/env")
    run = root.run_inside("install.d/99-show")
    assert run.ok, run.output
    assert "SSL_CERT_FILE" not in run.output


def test_baking_consumers_twice_changes_nothing(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    (root.path / "etc/containers").mkdir()
    root.write("/etc/environment", "KEPT=yes\nSSL_CERT_FILE=/old\n")
    file = save(tmp_path / "ca.pem", ca.cert_pem)
    bake_consumers(root, file)
    for hook in CONSUMERS:
        root.run_twice(hook, bundle_env(file))
    assert root.read("/etc/environment").startswith("KEPT=yes\n")
    assert "/old" not in root.read("/etc/environment")


def test_without_cas_no_consumer_is_configured(fake_root: MakeRoot) -> None:
    root = fake_root(ELEMENT)
    (root.path / "etc/containers").mkdir()
    before = root.tree()
    for hook in CONSUMERS:
        assert root.run_inside(hook).ok
    assert root.tree() == before


def test_bundle_is_mounted_where_the_operator_wants_it(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    (root.path / "etc/containers").mkdir()
    paths = {"DIB_TRUSTED_CA_CONTAINER_PATHS": "/run/ca.pem:/etc/ssl/cert.pem"}
    bake_consumers(root, save(tmp_path / "ca.pem", ca.cert_pem), env=paths)
    lines = root.read("/etc/containers/mounts.conf").splitlines()
    assert lines == [f"{BUNDLE_IN_DEBIAN}:/run/ca.pem", f"{BUNDLE_IN_DEBIAN}:/etc/ssl/cert.pem"]


@pytest.mark.parametrize("path", ["run/ca.pem", "/run/a b", "/run/../etc/x"])
def test_unfit_path_in_containers_is_refused_before_the_build(fake_root: MakeRoot, path: str) -> None:
    root = fake_root(ELEMENT)
    run = root.run_outside("root.d/01-trusted-ca-bundle-check", {"DIB_TRUSTED_CA_CONTAINER_PATHS": path})
    assert run.status == 1
    assert f"ERROR: trusted-ca-bundle: DIB_TRUSTED_CA_CONTAINER_PATHS: '{path}'" in run.output


@pytest.mark.parametrize("complete", [True, False], ids=["with the CA", "without it"])
def test_java_store_is_verified_with_keytool(fake_root: MakeRoot, tmp_path: Path, ca: Issued, complete: bool) -> None:
    """The store as update-ca-trust of the RHEL family writes it."""
    root = root_with_tools(fake_root, "redhat")
    for folder in Path("/etc").glob("java-*"):
        shutil.copytree(folder, root.path / "etc" / folder.name, symlinks=True)
    bake(root, save(tmp_path / "ca.pem", ca.cert_pem))
    store = "/etc/pki/ca-trust/extracted/java/cacerts"
    only = "--filter=ca-anchors" if complete else "--filter=blocklist"
    extract = f"trust extract --format=java-cacerts {only} --purpose=server-auth {store}"
    root.add_hook("install.d/99-store", f"mkdir -p {Path(store).parent}\n{extract}")
    assert root.run_inside("install.d/99-store").ok
    run = root.run_inside(JAVA)
    assert run.ok is complete, run.output
    assert complete or f"ERROR: trusted-ca-bundle: not in {store}: internal-root-ca" in run.output


def test_java_without_a_store_of_the_distribution_fails_the_build(
    fake_root: MakeRoot, tmp_path: Path, ca: Issued
) -> None:
    root = fake_root(ELEMENT)
    bake(root, save(tmp_path / "ca.pem", ca.cert_pem))
    run = root.run_inside(JAVA)
    assert run.status == 1
    assert "no /etc/ssl/certs/java/cacerts" in run.output
