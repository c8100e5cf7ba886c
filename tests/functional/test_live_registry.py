"""What ``live-registry`` does, on this host: against a registry that it has no reason to trust."""

from pathlib import Path

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.facts.live.registry import read_live_registry
from tests.elements.pki import Issued, make_server
from tests.functional.registry import registry


def test_a_registry_of_an_unknown_ca_is_found_out_and_nothing_is_left(authority: Issued, tmp_path: Path) -> None:
    before = {path.name for path in Path("/tmp").glob("tmp.*")}
    server = make_server(authority, ["127.0.0.1"])
    with registry(tmp_path / "registry", server, authority) as running, DirectoryEngine(Path("/"), live=True) as host:
        proof = read_live_registry(host, Address("127.0.0.1", running.port))
    assert proof is not None
    assert [(step.name, step.status == 0) for step in proof.steps] == [("build", True), ("push", False)]
    assert "certificate signed by unknown authority" in proof.steps[-1].said
    assert proof.pushed == ""
    assert {path.name for path in Path("/tmp").glob("tmp.*")} <= before
