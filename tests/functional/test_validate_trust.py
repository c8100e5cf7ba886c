"""The real image believes whom its CA signed, be it from a file or as presented just now, and nobody else."""

from pathlib import Path

from tests.elements.pki import Issued, make_ca, make_server
from tests.functional.conftest import BuiltImage, RunValidator
from tests.support.tls_server import ServeTls, listening


def test_endpoints(node_image: BuiltImage, authority: Issued, run_validator: RunValidator, tmp_path: Path) -> None:
    stranger = make_ca("Somebody else's CA")
    chains = {
        "registry.internal:5000": [make_server(authority, ["registry.internal"])],
        "web.internal": [make_server(stranger, ["web.internal"]), stranger],
        "other.internal": [make_server(authority, ["registry.internal"])],
    }
    options = []
    for number, (name, chain) in enumerate(chains.items()):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(b"".join(issued.cert_pem for issued in chain))
        options += ["--endpoint", f"{name}={path}"]
    live = make_server(authority, ["127.0.0.1"])
    with listening(ServeTls(tmp_path, live.key_pem, [live.cert_pem])) as address:
        verdict = run_validator(node_image.path, *options, "--endpoint", str(address))
    assert verdict.failed() == {("ca-endpoint", "web.internal"), ("ca-endpoint", "other.internal")}
    assert verdict.status == 1
    found = {result["subject"]: result for result in verdict.report["results"] if result["check"] == "ca-endpoint"}
    assert found[str(address)]["status"] == found["registry.internal:5000"]["status"] == "pass"
    assert "Somebody else's CA, which is not in the bundle" in found["web.internal"]["message"]
    assert "is for registry.internal, and not for other.internal" in found["other.internal"]["message"]
    settings = [result for result in verdict.report["results"] if result["check"] == "ca-settings"]
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "pip cert"} <= {result["subject"] for result in settings}
