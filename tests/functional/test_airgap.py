"""The air gap, proven: the umbrella image is built, booted and used where only internal services can be reached.

The services are real, on TLS under the tests' own CA: a package mirror with a Python index and a git repository, a
registry, and the DNS server of airgap-proof, which knows their names only.
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

import pytest

from tests.elements.pki import Issued, make_server
from tests.functional.airgapped_node import BASE, MIRROR
from tests.functional.conftest import BUILD_TIMEOUT, ROOT, BuiltImage, identity
from tests.functional.registry import Registry, registry
from tests.functional.tls_mirror import TlsMirror, tls_mirror

SITE = """\
version: 1
mirrors:
  apt:
    - uri: https://mirror.internal/debian
    - uri: https://mirror.internal/debian-security
      suites: ["{release}-security"]
  pip: {index_url: "https://mirror.internal/pypi/simple"}
registries:
  - prefix: registry.internal:5000
search_registries: [registry.internal:5000]
"""
CLOUD_INIT_ASKS = "does-not-exist.example.com"
"""On a machine of OpenStack's, to see whether the resolver tells the truth (cloudinit.util.is_resolvable)."""


@dataclass(frozen=True)
class InternalNetwork:
    """The services as airgap-proof wants them named."""

    mirror: TlsMirror
    registry: Registry

    @property
    def allow(self) -> list[str]:
        services = [
            f"mirror.internal:443=127.0.0.1:{self.mirror.port}",
            f"registry.internal:5000=127.0.0.1:{self.registry.port}",
        ]
        return [part for service in services for part in ("--allow", service)]


@pytest.fixture(scope="module")
def network(authority: Issued, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InternalNetwork]:
    folder = tmp_path_factory.mktemp("network")
    names = ["127.0.0.1", "mirror.internal", "registry.internal"]
    server = make_server(authority, names)
    with (
        tls_mirror(folder / "mirror", server) as mirror,
        registry(folder / "registry", server, authority) as images,
    ):
        _fill(mirror.content)
        busybox = Path("/bin/busybox").read_bytes()
        images.push(BASE.partition("/")[2], {"bin/busybox": busybox, "bin/sh": busybox})
        yield InternalNetwork(mirror, images)


def _fill(content: Path) -> None:
    """Put a Python package and a git repository onto the mirror."""
    package = content / "pypi/simple/six"
    package.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(package), "six"]
    subprocess.run(pip, check=True)
    work, bare = content.parent / "work", content / "git/example.git"
    identity = ["-c", "user.name=test", "-c", "user.email=test@mirror.internal", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, "init", "--quiet", str(work)], check=True)
    commit = ["commit", "--quiet", "--allow-empty", "--message", "first"]
    subprocess.run(["git", *identity, "-C", str(work), *commit], check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", str(work), str(bare)], check=True)
    # What a plain web server needs to serve a repository: gitrepository-layout(5), info/refs.
    subprocess.run(["git", "-C", str(bare), "update-server-info"], check=True)


def prove(network: InternalNetwork, evidence: Path, *command: str, **variables: str) -> tuple[int, dict[str, Any]]:
    """Run a command under airgap-proof; return its status and the evidence."""
    proof = [sys.executable, "-m", "airgap_image_factory", "airgap-proof", "--evidence", str(evidence)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "SSL_", "CURL_"))}
    environment |= {"PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run([*proof, *network.allow, "--", *command], env=environment, timeout=BUILD_TIMEOUT, check=False)
    return done.returncode, json.loads(evidence.read_text())


@pytest.fixture(scope="module")
def airgapped_image(
    image_folder: Path, authority: Issued, network: InternalNetwork
) -> tuple[BuiltImage, dict[str, Any]]:
    """Build the umbrella with mirrors and registries, inside the air gap; return the image and the evidence."""
    built, public = identity(image_folder, "airgapped", authority)
    evidence = built.path.with_suffix(".airgap.json")
    if not built.path.exists():
        site = image_folder / "site.yaml"
        site.write_text(SITE)
        command = [sys.executable, "-m", "airgap_image_factory", "image", "--mirror", f"{MIRROR}/debian"]
        command += ["--ca", str(built.authority), "--output", str(built.path)]
        command += ["--element", "internal-mirrors", "--element", "container-registries"]
        variables = {"DIB_ZUUL_NODE_AUTHORIZED_KEYS": str(public), "DIB_AIRGAP_SITE": str(site)}
        # Without a cache of its own the build would use what an open one left behind.
        status, _ = prove(network, evidence, *command, DIB_IMAGE_CACHE=str(image_folder / "cache"), **variables)
        shutil.rmtree(image_folder / "cache", ignore_errors=True)
        assert status == 0, evidence.read_text()
    return built, json.loads(evidence.read_text())


def test_the_build_asks_for_nothing_but_internal_names(airgapped_image: tuple[BuiltImage, dict[str, Any]]) -> None:
    _, evidence = airgapped_image
    assert evidence["proven"] is True
    assert evidence["dns"]["other_names"] == []
    assert all(name == "localhost" or name.endswith(".internal") for name in evidence["dns"]["questions"])
    assert evidence["packets"]["elsewhere"] == 0
    assert evidence["services"]["mirror.internal:443"]["received"] > 50_000_000


def test_the_node_works_in_the_air_gap(
    airgapped_image: tuple[BuiltImage, dict[str, Any]], network: InternalNetwork, tmp_path: Path
) -> None:
    image, _ = airgapped_image
    command = [sys.executable, "-m", "tests.functional.airgapped_node", str(image.path), str(image.key), str(tmp_path)]
    _, evidence = prove(network, tmp_path / "evidence.json", *command)
    assert evidence["exit_status"] == 0
    assert network.registry.tags("copied/busybox") == ["1"]
    assert network.registry.tags("built/app") == ["1"]
    # What the node tried on purpose met the rules; nothing got through.
    assert "192.0.2.7 tcp/443" in evidence["packets"]["tried"]
    assert set(evidence["dns"]["other_names"]) - {CLOUD_INIT_ASKS} == {"updates.example"}
