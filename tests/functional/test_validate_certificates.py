"""The real image with its CAs out of order: each defect as a builder would make it, all seen in one look."""

import datetime
from pathlib import Path

from tests.elements.pki import make_ca
from tests.functional.conftest import BuiltImage, RunValidator, Workshop

HASHED = "/etc/ssl/certs"
SITE = "/opt/venv/lib/python3.11/site-packages"
REGISTRY = "/etc/containers/certs.d/registry.internal:5000"
POLICY = """\
version: 1
name: certificates
extends: container-node
certificates:
  consumers: [openssl, certifi, java, containers]
  quality: {strict: true}
  distrusted: [{file: distrusted.pem}]
"""


def test_consumers_that_lack_the_ca_and_what_does_not_belong_there(
    node_image: BuiltImage, workshop: Workshop, run_validator: RunValidator, tmp_path: Path
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    short = make_ca("Short CA", not_after=now + datetime.timedelta(days=5))
    distrusted = make_ca("Distrusted CA")
    (tmp_path / "distrusted.pem").write_bytes(distrusted.cert_pem)
    (tmp_path / "policy.yaml").write_text(POLICY)
    with workshop as handle:
        (link,) = [
            name
            for name in handle.ls(HASHED)
            if name.endswith(".0") and "functional-test-ca" in handle.readlink(f"{HASHED}/{name}")
        ]
        handle.rm(f"{HASHED}/{link}")
        handle.mkdir_p(f"{SITE}/certifi")
        handle.write(f"{SITE}/certifi/cacert.pem", distrusted.cert_pem)
        handle.mkdir_p(REGISTRY)
        handle.write(f"{REGISTRY}/ca.crt", short.cert_pem)
        handle.write(f"{REGISTRY}/client.key", short.key_pem)
    verdict = run_validator(workshop.copy, "--policy", str(tmp_path / "policy.yaml"))
    ca = "CN=Functional test CA\\, do not trust"
    about = {finding for finding in verdict.failed() if finding[0].startswith("ca-")}
    assert about == {
        ("ca-consumers", f"openssl {HASHED}: {ca}"),
        ("ca-consumers", f"certifi {SITE}/certifi/cacert.pem: {ca}"),
        ("ca-consumers", f"containers {REGISTRY}: {ca}"),
        ("ca-consumers", "java"),
        ("ca-expiry", "CN=Short CA"),
        ("ca-private-keys", f"{REGISTRY}/client.key"),
        ("ca-distrusted", f"certifi {SITE}/certifi/cacert.pem: CN=Distrusted CA"),
    }
    assert verdict.status == 1
