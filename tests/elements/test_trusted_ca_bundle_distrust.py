"""CAs that the image must not trust: taken out with the distribution's tools, and proved to be out."""

from pathlib import Path

import pytest

from tests.elements.ca_bundle import BUNDLE, CHECK, ELEMENT, FOLDER, STORE, bundle_env, root_with_tools, save
from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot
from tests.elements.pki import Issued, make_ca, make_server

CHECK_DISTRUST = "root.d/02-trusted-ca-bundle-distrust"
DISTRUST = "pre-install.d/03-trusted-ca-bundle-distrust"
VERIFY = "finalise.d/91-trusted-ca-bundle-verify-distrust"


@pytest.fixture(scope="module")
def bad() -> Issued:
    return make_ca("Bad Public CA")


@pytest.fixture(scope="module")
def good() -> Issued:
    return make_ca("Good Public CA")


def distrust_env(*items: object) -> dict[str, str]:
    return {"DIB_TRUSTED_CA_DISTRUST": ":".join(map(str, items))}


def root_with_public_cas(fake_root: MakeRoot, family: str, *cas: Issued) -> FakeRoot:
    """A root whose distribution trusts these CAs: on Debian through the package's selection."""
    root = root_with_tools(fake_root, family)
    for number, ca in enumerate(cas):
        name = f"mozilla/Public {number}.crt"
        if family in ("debian", "ubuntu"):
            root.write(f"/usr/share/ca-certificates/{name}", ca.cert_pem)
            root.write("/etc/ca-certificates.conf", root.read("/etc/ca-certificates.conf") + f"{name}\n")
        else:
            root.write(f"{FOLDER[family]}/public-{number}.crt", ca.cert_pem)
    run = root.run_inside(STORE)
    assert run.ok, run.output
    root.add_hook("install.d/99-update", "update-ca-certificates || update-ca-trust")
    assert root.run_inside("install.d/99-update").ok
    return root


def bake(root: FakeRoot, env: dict[str, str]) -> None:
    for run, hook in ((root.run_outside, CHECK_DISTRUST), (root.run_inside, DISTRUST), (root.run_inside, VERIFY)):
        finished = run(hook, env)
        assert finished.ok, finished.log


@pytest.mark.parametrize("form", ["fingerprint", "upper-case fingerprint", "PEM file", "DER file"])
@pytest.mark.parametrize("family", FOLDER)
def test_distrusted_ca_leaves_the_bundle_and_others_stay(
    fake_root: MakeRoot, tmp_path: Path, good: Issued, bad: Issued, family: str, form: str
) -> None:
    item = {
        "fingerprint": bad.sha256,
        "upper-case fingerprint": bad.sha256.upper(),
        "PEM file": save(tmp_path / "bad.pem", b"a comment\n" + bad.cert_pem),
        "DER file": save(tmp_path / "bad.der", bad.cert_der),
    }[form]
    root = root_with_public_cas(fake_root, family, good, bad)
    assert bad.cert_pem.decode() in root.read(BUNDLE[family])
    bake(root, distrust_env(item))
    assert bad.cert_pem.decode() not in root.read(BUNDLE[family])
    assert good.cert_pem.decode() in root.read(BUNDLE[family])


def test_debian_drops_the_ca_from_its_folder_of_hashes(fake_root: MakeRoot, good: Issued, bad: Issued) -> None:
    root = root_with_public_cas(fake_root, "debian", good, bad)
    root.write("/tmp/server.pem", make_server(bad, ["mirror.internal"]).cert_pem)
    root.add_hook("install.d/99-verify", "openssl verify -no-CAfile -CApath /etc/ssl/certs /tmp/server.pem")
    assert root.run_inside("install.d/99-verify").ok
    bake(root, distrust_env(bad.sha256))
    assert not root.run_inside("install.d/99-verify").ok


@pytest.mark.parametrize("family", FOLDER)
def test_a_later_update_does_not_bring_the_ca_back(fake_root: MakeRoot, good: Issued, bad: Issued, family: str) -> None:
    root = root_with_public_cas(fake_root, family, good, bad)
    bake(root, distrust_env(bad.sha256))
    assert root.run_inside("install.d/99-update").ok
    assert root.run_inside(VERIFY).ok
    assert bad.cert_pem.decode() not in root.read(BUNDLE[family])


@pytest.mark.parametrize("family", FOLDER)
def test_distrusting_twice_changes_nothing(fake_root: MakeRoot, good: Issued, bad: Issued, family: str) -> None:
    root = root_with_public_cas(fake_root, family, good, bad)
    bake(root, distrust_env(bad.sha256))
    root.run_twice(DISTRUST, distrust_env(bad.sha256))


def test_distrusted_ca_that_comes_back_fails_the_build(fake_root: MakeRoot, good: Issued, bad: Issued) -> None:
    root = root_with_public_cas(fake_root, "debian", good, bad)
    bake(root, distrust_env(bad.sha256))
    root.write(BUNDLE["debian"], good.cert_pem + bad.cert_pem)
    run = root.run_inside(VERIFY)
    assert run.status == 1
    assert f"ERROR: trusted-ca-bundle: still in {BUNDLE['debian']} although distrusted: {bad.sha256}" in run.output


def test_expired_ca_and_one_of_several_in_a_file_can_be_distrusted(
    fake_root: MakeRoot, tmp_path: Path, good: Issued, bad: Issued
) -> None:
    other = make_ca("No CA", is_ca=False)
    root = root_with_public_cas(fake_root, "redhat", good, bad)
    bake(root, distrust_env(save(tmp_path / "two.pem", other.cert_pem + bad.cert_pem)))
    assert root.read(BUNDLE["redhat"]).count("BEGIN CERTIFICATE") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is neither a readable file of certificates nor a SHA-256"),
        (b"text\n", "is neither a readable file of certificates nor a SHA-256"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds a damaged certificate"),
    ],
    ids=["absent", "text", "damaged"],
)
def test_unfit_item_is_refused_before_the_build(
    fake_root: MakeRoot, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "item"
    if content is not None:
        save(file, content)
    run = fake_root(ELEMENT).run_outside(CHECK_DISTRUST, distrust_env(file))
    assert run.status == 1
    assert f"ERROR: trusted-ca-bundle: DIB_TRUSTED_CA_DISTRUST: {file}: {reason}" in run.output


def test_ca_both_trusted_and_distrusted_is_refused(fake_root: MakeRoot, tmp_path: Path, bad: Issued) -> None:
    root = fake_root(ELEMENT)
    env = {**bundle_env(save(tmp_path / "ca.pem", bad.cert_pem)), **distrust_env(bad.sha256)}
    assert root.run_outside(CHECK, env).ok
    run = root.run_outside(CHECK_DISTRUST, env)
    assert run.status == 1
    assert f"ERROR: trusted-ca-bundle: the CA with SHA-256 {bad.sha256} is in DIB_TRUSTED_CA_BUNDLE and" in run.output
