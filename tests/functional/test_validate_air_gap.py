"""What the real image would contact: nothing but what it was given, verified; and a second opinion is found."""

import json
from pathlib import Path

import pytest

from tests.functional.conftest import BuiltImage, RunValidator, Workshop

LIST = "/etc/apt/sources.list.d/second.list"
TLS = "/etc/apt/apt.conf.d/80tls"
DROP_IN = "/etc/containers/registries.conf.d/99-second.conf"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return a policy that allows the internal hosts only; the mirror of the test's build is the machine itself."""
    path = tmp_path / "site.yaml"
    site = {
        "version": 1,
        "name": "site",
        "extends": "container-node",
        "air_gap": {"allowed": ["*.internal"], "ignore": ["short-names"], "sources": True},
        "containers": {"search_registries": [], "storage_roots": ["/var/lib/docker", "/var/lib/containers/storage"]},
    }
    path.write_text(json.dumps(site))
    return path


def test_the_image_names_no_other_host_and_a_broken_copy_is_found(
    node_image: BuiltImage, workshop: Workshop, run_validator: RunValidator, rules: Path
) -> None:
    sound = run_validator(node_image.path, "--policy", str(rules))
    assert sound.failed() == set()
    assert sound.status == 0
    with workshop as handle:
        handle.write(LIST, "deb [trusted=yes] https://mirror.example.org/debian bookworm main\n")
        handle.write(TLS, 'Acquire {\n  https { Verify-Peer "false"; };\n};\n')
        handle.write(
            DROP_IN, '[[registry]]\nprefix = "example.org"\nlocation = "registry.internal/x"\ninsecure = true\n'
        )
    verdict = run_validator(workshop.copy, "--policy", str(rules))
    assert verdict.status == 1
    assert verdict.failed() == {
        ("air-gap-hosts", "apt mirror.example.org"),
        ("verification", "apt trusted=yes"),
        ("verification", "apt Acquire::https::Verify-Peer"),
        ("verification", "containers insecure of registry.internal/x"),
        ("container-registries", "insecure registry.internal/x"),
        ("container-zuul-roles", f"{DROP_IN}: example.org"),
    }
    lines = {(result["path"], result["line"]) for result in verdict.report["results"] if result["status"] == "fail"}
    assert lines == {(LIST, 1), (TLS, 2), (DROP_IN, 1)}
