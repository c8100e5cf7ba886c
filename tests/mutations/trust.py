"""Defects of what surrounds the trust stores: settings that lead elsewhere, endpoints that nobody would believe."""

import datetime
import tempfile
from pathlib import Path
from typing import Any, Final

from diskimage_validator.certificates import parse_certificates
from tests.support.chains import Made, authority, server
from tests.support.mutations import Draft, Mutation

RULES: dict[str, Any] = {"certificates": {"settings": True}}

_NOW: Final = datetime.datetime.now(datetime.UTC)
_VALID: Final = (_NOW - datetime.timedelta(days=1), _NOW + datetime.timedelta(days=365))
_FOLDER: Final = tempfile.TemporaryDirectory(prefix="mutations-")
_ROOT: Final = authority("Foreign Root", valid=_VALID)
_ISSUING: Final = authority("Foreign Issuing CA", _ROOT, valid=_VALID)
_ENVIRONMENT: Final = "/etc/environment"
_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
)


def _endpoint(name: str, *chain: Made, consumer: str = "system") -> dict[str, Any]:
    """Return rules that ask for an endpoint with this chain."""
    path = Path(_FOLDER.name) / f"{name}.pem"
    path.write_bytes(b"".join(made.pem for made in chain))
    entry = {"name": "registry.internal", "port": 5000, "chain": str(path), "consumers": [consumer]}
    return {"certificates": {"endpoints": [entry]}}


def _set(path: str, text: str) -> Any:
    return lambda draft: draft.write(path, text)


def _also(path: str, text: str) -> Any:
    return lambda draft: draft.append(path, text)


def _points_to_a_copy_without_the_ca(draft: Draft) -> None:
    """Point requests to a bundle of one public CA."""
    bundle = next(path for path in _BUNDLES if draft.exists(path))
    first = draft.read(bundle).split(b"-----END CERTIFICATE-----")[0] + b"-----END CERTIFICATE-----\n"
    assert parse_certificates(first).certificates
    draft.write("/opt/cacert.pem", first)
    draft.write(_ENVIRONMENT, "REQUESTS_CA_BUNDLE=/opt/cacert.pem\n")


def _points_to_an_empty_folder(draft: Draft) -> None:
    draft.mkdir("/opt/certs")
    draft.write("/etc/profile.d/certs.sh", "export SSL_CERT_DIR=/opt/certs\n")


def _certs_d_with_another_ca(draft: Draft) -> None:
    draft.write("/etc/docker/certs.d/registry.internal:5000/ca.crt", authority("Foreign Root", valid=_VALID).pem)


def _settings(name: str, change: Any, subject: str, **rules: Any) -> Mutation:
    return Mutation(f"settings-{name}", "both", change, frozenset({("ca-settings", subject)}), rules)


_UNIT: Final = "/usr/lib/systemd/system/sync.service"
_WITHOUT_VERIFICATION: Final = {"air_gap": {"verification": False}}

MUTATIONS: list[Mutation] = [
    _settings("missing-file", _set(_ENVIRONMENT, "SSL_CERT_FILE=/opt/missing.pem\n"), "SSL_CERT_FILE"),
    _settings("without-ca", _points_to_a_copy_without_the_ca, "REQUESTS_CA_BUNDLE"),
    _settings("empty-folder", _points_to_an_empty_folder, "SSL_CERT_DIR"),
    _settings("requests-off", _set("/etc/profile.d/off.sh", "export CURL_CA_BUNDLE=\n"), "CURL_CA_BUNDLE"),
    _settings("git-off", _set("/etc/profile.d/off.sh", "export GIT_SSL_NO_VERIFY=0\n"), "GIT_SSL_NO_VERIFY"),
    _settings(
        "node-off",
        _set(_UNIT, "[Service]\nEnvironment=NODE_TLS_REJECT_UNAUTHORIZED=0\n"),
        "NODE_TLS_REJECT_UNAUTHORIZED",
    ),
    _settings("python-off", _set("/root/.bash_profile", "PYTHONHTTPSVERIFY=0 yum update\n"), "PYTHONHTTPSVERIFY"),
    _settings("computed", _set("/etc/profile.d/x.sh", "export PIP_CERT=$(python3 -m certifi)\n"), "PIP_CERT"),
    _settings("curl-insecure", _set("/root/.curlrc", "# proxy\n-sk\n"), "curl insecure"),
    _settings("curl-cacert", _set("/root/.curlrc", "cacert = /opt/missing.pem\n"), "curl cacert"),
    _settings("wget-off", _set("/etc/wgetrc", "check-certificate = off\n"), "wget check_certificate"),
    _settings("pip-cert", _set("/etc/pip.conf", "[global]\ncert = /opt/missing.pem\n"), "pip cert"),
    _settings("npm-cafile", _set("/root/.npmrc", "cafile=/opt/missing.pem\n"), "npm cafile"),
    _settings("conda-off", _set("/root/.condarc", "ssl_verify: false\n"), "conda ssl_verify"),
    _settings(
        "git-config",
        _set("/etc/gitconfig", '[http "https://git.internal/"]\n\tsslVerify = false\n'),
        "git http.https://git.internal/.sslverify",
        **_WITHOUT_VERIFICATION,
    ),
    _settings("git-cainfo", _set("/root/.gitconfig", "[http]\nsslCAInfo = /opt/missing.pem\n"), "git http.sslcainfo"),
    Mutation(
        "endpoint-of-a-foreign-ca",
        "deb",
        _set("/etc/motd", "nothing is wrong with the image, and yet\n"),
        frozenset({("ca-endpoint", "registry.internal:5000")}),
        _endpoint("foreign", server(_ISSUING, "registry.internal", valid=_VALID), _ISSUING, _ROOT),
    ),
    Mutation(
        "endpoint-docker-has-another-ca",
        "deb",
        _certs_d_with_another_ca,
        frozenset({("ca-endpoint", "registry.internal:5000 for docker")}),
        _endpoint("docker", server(_ISSUING, "registry.internal", valid=_VALID), consumer="docker"),
    ),
]
