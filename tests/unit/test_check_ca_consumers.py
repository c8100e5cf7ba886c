import pytest

from diskimage_validator.model import Finding, Status
from diskimage_validator.policy_model import Policy, TrustedCa
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import BUNDLE, hash_of, internal_ca
from tests.support.memory_engine import Broken, Entry, Link
from tests.support.stores import NOT_TRUSTED, TRUSTED_DELEGATOR, make_jks, make_nss, trusted_pem

CHECK = "ca-consumers"
CA = pki.certificate("Internal CA")
OTHER = pki.certificate("Other")
HASH = hash_of(internal_ca())
TRUSTED = (TrustedCa(pki.sha256(CA), "CN=Internal CA", "ca.pem"),)
COPY = "/opt/venv/lib/python3.11/site-packages/certifi/cacert.pem"
JAVA = "/etc/ssl/certs/java/cacerts"
HOST = "/etc/docker/certs.d/registry.internal:5000"


def found(tree: dict[str, Entry], *consumers: str) -> list[Finding]:
    section = {"consumers": list(consumers)} if consumers else {}
    return ask(CHECK, tree, Policy(images.rules(certificates=section), TRUSTED))


def failed(tree: dict[str, Entry], *consumers: str) -> Finding:
    return only(failures(found(tree, *consumers)))


def test_a_sound_image_passes_with_one_finding_a_consumer(tree: dict[str, Entry]) -> None:
    tree[COPY] = internal_ca()
    tree[JAVA] = make_jks([pki.der(CA)])
    findings = found(tree)
    assert failures(findings) == []
    assert {finding.subject for finding in findings} == {"openssl /etc/ssl/certs", f"java {JAVA}", f"certifi {COPY}"}


def test_it_is_not_asked_without_a_ca_or_with_an_empty_list(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
    assert only(ask(CHECK, tree, Policy(images.rules(certificates={"consumers": []}), TRUSTED))).status is Status.SKIP


def test_a_missing_hash_link_fails_although_the_file_is_there(tree: dict[str, Entry]) -> None:
    del tree[f"/etc/ssl/certs/{HASH}.0"]
    finding = failed(tree)
    assert finding.subject == "openssl /etc/ssl/certs: CN=Internal CA"
    assert f"no hash link {HASH}.N leads to it" in finding.message
    assert "run update-ca-certificates" in finding.hint


def test_a_hash_link_that_is_broken_or_leads_elsewhere_fails(tree: dict[str, Entry]) -> None:
    tree[f"/etc/ssl/certs/{HASH}.0"] = Link("gone.pem")
    assert f"{HASH}.0 leads to gone.pem, which is not there" in failed(tree).message
    tree[f"/etc/ssl/certs/{HASH}.0"] = Link("Public_Root.pem")
    assert "whose hash is" in failed(tree).message


def test_another_link_that_does_not_work_fails_by_itself(tree: dict[str, Entry]) -> None:
    tree["/etc/ssl/certs/00000000.0"] = Link("gone.pem")
    tree["/etc/ssl/certs/00000000.1"] = Link("gone.pem")
    finding = failed(tree)
    assert finding.subject == "openssl /etc/ssl/certs"
    assert "and 1 more do not work" in finding.message


@pytest.mark.parametrize("consumer", ["certifi", "pip", "botocore", "httplib2"])
def test_each_copy_in_a_python_package_is_asked(tree: dict[str, Entry], consumer: str) -> None:
    name = {"pip": "pip/_vendor/certifi/cacert.pem", "httplib2": "httplib2/cacerts.txt"}.get(
        consumer, f"{consumer}/cacert.pem"
    )
    tree[f"/opt/{name}"] = pki.pem(OTHER)
    finding = failed(tree)
    assert (finding.subject, finding.path) == (f"{consumer} /opt/{name}: CN=Internal CA", f"/opt/{name}")
    assert finding.message == "the CA is not there"
    tree[f"/opt/{name}"] = Link(BUNDLE)
    assert failures(found(tree)) == []


def test_a_pip_that_asks_the_system_needs_nothing_of_its_own(tree: dict[str, Entry]) -> None:
    tree["/opt/pip/_vendor/certifi/cacert.pem"] = pki.pem(OTHER)
    tree["/opt/pip/__init__.py"] = '__version__ = "25.0"\n'
    assert failures(found(tree)) == []


def test_a_java_keystore_is_asked(tree: dict[str, Entry]) -> None:
    tree[JAVA] = make_jks([pki.der(OTHER)])
    assert failed(tree).subject == f"java {JAVA}: CN=Internal CA"


def test_the_predecessor_of_the_same_name_is_told(tree: dict[str, Entry]) -> None:
    older = pki.certificate("Internal CA", end=pki.NOW + 2 * pki.YEAR)
    tree[COPY] = pki.pem(older)
    assert "another certificate of the same name" in failed(tree).message


def test_a_ca_that_is_marked_as_distrusted_fails(tree: dict[str, Entry]) -> None:
    tree["/srv/cert9.db"] = make_nss([(pki.der(CA), NOT_TRUSTED), (pki.der(OTHER), TRUSTED_DELEGATOR)])
    assert "marked as not trusted" in failed(tree).message
    tree["/srv/cert9.db"] = make_nss([(pki.der(CA), TRUSTED_DELEGATOR)])
    assert failures(found(tree)) == []


def test_trust_that_nothing_tells_is_an_error(tree: dict[str, Entry]) -> None:
    tree["/srv/cert9.db"] = make_nss([(pki.der(CA), None)])
    assert failures(found(tree)) == []
    finding = failed(tree, "nss")
    assert (finding.status, finding.actual) == (Status.ERROR, "trust unknown")


def test_a_bundle_of_its_own_under_a_usual_name_is_asked(tree: dict[str, Entry]) -> None:
    tree["/etc/pki/tls/certs/ca-bundle.crt"] = pki.pem(OTHER)
    assert failed(tree).subject == "system /etc/pki/tls/certs/ca-bundle.crt: CN=Internal CA"


def test_stores_of_single_registries_are_asked_only_by_name(tree: dict[str, Entry]) -> None:
    tree[f"{HOST}/ca.crt"] = pki.pem(OTHER)
    assert failures(found(tree)) == []
    assert failed(tree, "docker").subject == f"docker {HOST}: CN=Internal CA"
    tree[f"{HOST}/internal.pem"] = internal_ca()
    assert "internal.pem is passed over" in failed(tree, "docker").message


def test_a_file_that_buildkit_names_has_to_be_there(tree: dict[str, Entry]) -> None:
    path = "/etc/buildkit/buildkitd.toml"
    tree[path] = '[registry."r:5000"]\nca = ["/gone.crt"]\n'
    assert failed(tree, "buildkit").message == "/gone.crt, which it reads, is not there"
    tree[path] = f'[registry."r:5000"]\nca = ["/gone.crt", "{BUNDLE}"]\n'
    assert failed(tree, "buildkit").message == "/gone.crt, which it names, is not there"


def test_a_consumer_that_is_demanded_has_to_be_there(tree: dict[str, Entry]) -> None:
    finding = failed(tree, "openssl", "java")
    assert (finding.subject, finding.status) == ("java", Status.FAIL)


def test_a_damaged_block_fails_although_the_ca_is_there(tree: dict[str, Entry]) -> None:
    tree[COPY] = internal_ca() + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    finding = failed(tree)
    assert finding.subject == f"certifi {COPY}"
    assert "cannot be parsed" in finding.message


def test_a_store_that_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[COPY] = Broken()
    finding = failed(tree)
    assert (finding.subject, finding.status) == (f"certifi {COPY}: CN=Internal CA", Status.ERROR)
    assert "Input/output error" in finding.message


def test_what_follows_the_system_follows_its_verdict(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/python3/dist-packages/certifi/core.py"] = f"PATH = '{BUNDLE}'\n"
    assert failures(found(tree)) == []
    tree[BUNDLE] = pki.pem(OTHER)
    finding = failed(tree)
    assert (finding.status, finding.subject.split()[0]) == (Status.SKIP, "certifi")
    assert finding.message.endswith("see ca-trusted")


def test_a_ca_that_was_never_baked_is_left_to_ca_trusted(tree: dict[str, Entry]) -> None:
    tree[BUNDLE] = pki.pem(OTHER)
    del tree[f"/etc/ssl/certs/{HASH}.0"], tree["/etc/ssl/certs/internal-ca.pem"]
    finding = failed(tree)
    assert (finding.status, finding.subject) == (Status.SKIP, "openssl /etc/ssl/certs")
    tree[COPY] = pki.pem(OTHER)
    assert [finding.status for finding in failures(found(tree))] == [Status.SKIP, Status.FAIL]


def test_the_stores_of_p11_kit_are_asked() -> None:
    extracted = "/etc/pki/ca-trust/extracted"
    other = pki.pem(OTHER)
    tree: dict[str, Entry] = {
        "/etc/os-release": "ID=rocky\nVERSION_ID=9\n",
        f"{extracted}/pem/tls-ca-bundle.pem": internal_ca(),
        f"{extracted}/pem/email-ca-bundle.pem": other,
        f"{extracted}/pem/objsign-ca-bundle.pem": other,
        f"{extracted}/openssl/ca-bundle.trust.crt": trusted_pem(pki.der(OTHER)),
        f"{extracted}/java/cacerts": make_jks([pki.der(OTHER)]),
        f"{extracted}/pem/directory-hash/x.pem": other,
    }
    # They were generated at another time than the bundle, so the CA is in that one alone.
    assert {finding.subject.split()[0] for finding in found(tree) if finding.status is Status.FAIL} == {
        "email",
        "code-signing",
        "openssl-trusted",
        "java",
        "openssl",
    }
