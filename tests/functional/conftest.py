"""The real image, built once with ./run image's own code, and what the tests need to break and boot copies of it.

The build goes through a TLS mirror whose CA only the image's own trusted-ca-bundle knows, so it also proves that the
CA works for the package manager from the first download on.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from filelock import FileLock

from diskimage_validator.engines.appliance import launch
from tests.elements.pki import Issued, make_ca, make_server
from tests.functional.nodepool_builder import Builder, Nodepool, install
from tests.functional.tls_mirror import TlsMirror, tls_mirror
from tests.functional.workers import ByUnit, place
from tests.functional.zookeeper import ZooKeeper, zookeeper

BUILD_TIMEOUT = 2400
ROOT = Path(__file__).parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--image-dir",
        type=Path,
        help="folder for the built images; an image that is there already is used as it is, which is for writing tests",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker a cache of its own: apt locks that of diskimage-builder for the time of a build."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ["DIB_IMAGE_CACHE"] = str(Path.home() / ".cache" / f"image-create-{worker}")
    else:
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=place)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByUnit:
    return ByUnit(config, log)


@dataclass(frozen=True)
class BuiltImage:
    """An image that ./run image's code built: the file, its reports, the CA it trusts, a key that opens it."""

    path: Path
    authority: Path
    key: Path

    @property
    def reports(self) -> Path:
        return self.path.with_suffix(".d")


@dataclass(frozen=True)
class Verdict:
    """What the validator's command line said: exit status, the JSON report (empty if there is none), standard error."""

    status: int
    report: dict[str, Any]
    stderr: str

    def failed(self) -> set[tuple[str, str]]:
        """Return (check, subject) of every result that is not a pass or a skip."""
        return {
            (result["check"], result["subject"])
            for result in self.report["results"]
            if result["status"] not in ("pass", "skip")
        }

    def failed_checks(self) -> set[str]:
        return {check for check, _ in self.failed()}


@pytest.fixture(scope="session")
def image_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path | None = request.config.getoption("--image-dir")
    if folder is None:
        base = tmp_path_factory.getbasetemp()
        folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "images"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@pytest.fixture(scope="session")
def authority(image_folder: Path) -> Issued:
    """Return the internal CA of the tests, kept beside the images that trust it. The host does not trust it."""
    kept = image_folder / "authority.pem"
    with FileLock(kept.with_suffix(".lock")):
        if not kept.exists():
            made = make_ca("Functional test CA, do not trust")
            kept.write_bytes(made.key_pem + made.cert_pem)
    content = kept.read_bytes()
    key = load_pem_private_key(content, None)
    assert isinstance(key, EllipticCurvePrivateKey)
    return Issued(x509.load_pem_x509_certificate(content), key)


@pytest.fixture(scope="session")
def mirror(authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsMirror]:
    """Serve the host's package mirror over TLS under a certificate of ``authority``."""
    with tls_mirror(tmp_path_factory.mktemp("mirror"), make_server(authority, ["127.0.0.1"])) as running:
        yield running


def identity(folder: Path, name: str, authority: Issued) -> tuple[BuiltImage, Path]:
    """Return the image ``folder/name.qcow2`` to be built, with its CA and key on disk, and the public key's file."""
    image = BuiltImage(folder / f"{name}.qcow2", folder / f"{name}-ca.pem", folder / f"{name}-key")
    public = image.key.with_suffix(".pub")
    if not image.path.exists():
        image.authority.write_bytes(authority.cert_pem)
        key = paramiko.ECDSAKey.generate(bits=256)
        key.write_private_key_file(str(image.key))
        public.write_text(f"{key.get_name()} {key.get_base64()} functional-test\n")
    return image, public


def build_image(
    folder: Path, name: str, authority: Issued, mirror: TlsMirror, *options: str, **variables: str
) -> BuiltImage:
    """Build ``folder/name.qcow2`` unless it is there, with its own SSH key. Another worker waits until it is."""
    with FileLock(folder / f"{name}.lock"):
        built, public = identity(folder, name, authority)
        if not built.path.exists():
            _build(built, public, mirror, *options, **variables)
    return built


def _build(built: BuiltImage, public: Path, mirror: TlsMirror, *options: str, **variables: str) -> None:
    command = [sys.executable, "-m", "airgap_image_factory", "image", "--mirror", mirror.debian]
    command += ["--ca", str(built.authority), *options, "--output", str(built.path)]
    environment = {**os.environ, "DIB_ZUUL_NODE_AUTHORIZED_KEYS": str(public), **variables}
    done = subprocess.run(command, env=environment, timeout=BUILD_TIMEOUT, check=False)
    assert done.returncode == 0, f"the build ended with {done.returncode}; see the output above"


def host_authorities() -> list[Path]:
    """Return the CAs that this host was given besides its distribution's, e.g. that of a TLS-intercepting proxy."""
    return sorted(Path("/usr/local/share/ca-certificates").glob("*.crt"))


@pytest.fixture(scope="session")
def node_image(image_folder: Path, authority: Issued, mirror: TlsMirror) -> BuiltImage:
    """Build the image that all tests share: bookworm, MBR, podman, cloud-init; its root is validated on the way."""
    return build_image(image_folder, "bookworm", authority, mirror, "--element", "validate-root")


@pytest.fixture(scope="session")
def gpt_image(image_folder: Path, authority: Issued, mirror: TlsMirror) -> BuiltImage:
    """Build the other choices: trixie, GPT, docker, glean, for Kolla. PyPI needs this host's own CAs."""
    options = ["--release", "trixie", "--partition-table", "gpt", "--element", "kolla-builder"]
    for path in host_authorities():
        options += ["--ca", str(path)]
    return build_image(
        image_folder,
        "trixie",
        authority,
        mirror,
        *options,
        DIB_CONTAINER_ENGINE="docker",
        DIB_ZUUL_NODE_INIT="glean",
    )


@pytest.fixture
def run_validator(node_image: BuiltImage, tmp_path: Path) -> "RunValidator":
    return RunValidator(node_image.authority, tmp_path)


class RunValidator:
    """Call ``diskimage-validator validate`` as a user does."""

    def __init__(self, authority: Path, folder: Path) -> None:
        self.authority = authority
        self.folder = folder

    def __call__(self, image: Path, *options: str, with_ca: bool = True) -> Verdict:
        output = self.folder / "report.json"
        output.unlink(missing_ok=True)
        command = [sys.executable, "-m", "diskimage_validator", "validate", str(image), "--policy", "container-node"]
        command += ["--report", f"json={output}", *(["--ca", str(self.authority)] if with_ca else []), *options]
        done = subprocess.run(command, check=False, stderr=subprocess.PIPE, text=True)
        report = json.loads(output.read_text()) if output.exists() else {}
        return Verdict(done.returncode, report, done.stderr)


class Workshop:
    """Break a copy of an image: a writable libguestfs handle with the root file system mounted."""

    def __init__(self, image: Path, copy: Path) -> None:
        self.copy = copy
        shutil.copyfile(image, copy)

    def __enter__(self) -> Any:
        self.handle, _ = launch(lambda handle: handle.add_drive_opts(str(self.copy), format="qcow2"))
        (root,) = [device for device, kind in self.handle.list_filesystems().items() if kind == "ext4"]
        self.handle.mount(root, "/")
        return self.handle

    def __exit__(self, *_: object) -> None:
        self.handle.shutdown()
        self.handle.close()


@pytest.fixture
def workshop(node_image: BuiltImage, tmp_path: Path) -> Iterator[Workshop]:
    """Give a copy of the node image to break; it is removed after the test."""
    made = Workshop(node_image.path, tmp_path / "broken.qcow2")
    yield made
    made.copy.unlink()


@pytest.fixture(scope="session")
def nodepool(pytestconfig: pytest.Config) -> Nodepool:
    """Return an environment with Nodepool 11; pytest's cache keeps it for the next run in this checkout."""
    return install(Path(pytestconfig.cache.mkdir("nodepool")))


@pytest.fixture
def coordination(tmp_path: Path) -> Iterator[ZooKeeper]:
    """Run a ZooKeeper for one test."""
    with zookeeper(tmp_path / "zookeeper") as running:
        yield running


@pytest.fixture
def make_builder(nodepool: Nodepool, coordination: ZooKeeper) -> Iterator["MakeBuilder"]:
    """Make builders on one ZooKeeper; all are stopped after the test."""
    made = MakeBuilder(nodepool, coordination)
    yield made
    for builder in made.builders:
        builder.stop()


class MakeBuilder:
    """Make a nodepool-builder in ``folder``, not yet started, with nodepool.yaml but for files and ZooKeeper."""

    def __init__(self, nodepool: Nodepool, coordination: ZooKeeper) -> None:
        self.nodepool = nodepool
        self.coordination = coordination
        self.builders: list[Builder] = []

    def __call__(self, folder: Path, configuration: dict[str, Any], **environment: str) -> Builder:
        settings = {**configuration, **self.coordination.settings()}
        self.builders.append(Builder(self.nodepool, folder, settings, environment))
        return self.builders[-1]
