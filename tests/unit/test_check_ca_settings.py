import pytest

from diskimage_validator.model import Finding, Status
from diskimage_validator.policy_model import Policy, TrustedCa
from tests.support import images, pki
from tests.support.asking import ask, failures, only
from tests.support.images import BUNDLE
from tests.support.memory_engine import Broken, Entry, Link

CHECK = "ca-settings"
CA = pki.certificate("Internal CA")
POLICY = images.policy(certificates={"settings": True})
NAMED = Policy(POLICY.rules, (TrustedCa(pki.sha256(CA), "CN=Internal CA", "test"),))


def verdict(tree: dict[str, Entry], policy: Policy = POLICY) -> Finding:
    return only(ask(CHECK, tree, policy))


def environment(tree: dict[str, Entry], text: str) -> dict[str, Entry]:
    return {**tree, "/etc/environment": text}


def test_an_image_without_such_settings_passes(tree: dict[str, Entry]) -> None:
    assert verdict(tree).status is Status.PASS


def test_the_systems_bundle_passes_by_any_of_its_names(tree: dict[str, Entry]) -> None:
    tree["/etc/pki/tls/cert.pem"] = Link(f"../../..{BUNDLE}")
    finding = verdict(environment(tree, "SSL_CERT_FILE=/etc/pki/tls/cert.pem\n"))
    assert (finding.subject, finding.status) == ("SSL_CERT_FILE", Status.PASS)
    assert finding.message == "/etc/pki/tls/cert.pem is the system's bundle"


def test_one_pass_stands_for_all_places_that_say_the_same(tree: dict[str, Entry]) -> None:
    tree["/etc/profile.d/ca.sh"] = f"export PIP_CERT={BUNDLE}\n"
    finding = verdict(environment(tree, f"PIP_CERT={BUNDLE}\n"))
    assert finding.message == f"{BUNDLE} is the system's bundle; set in 2 places"
    assert (finding.path, finding.line) == ("/etc/environment", 1)


def test_a_place_with_all_cas_that_count_passes(tree: dict[str, Entry]) -> None:
    tree["/opt/own.pem"] = pki.pem(CA)
    for policy in (POLICY, NAMED):
        finding = verdict(environment(tree, "NODE_EXTRA_CA_CERTS=/opt/own.pem\n"), policy)
        assert finding.status is Status.PASS
        assert "has all CAs that the policy names or somebody added (certificates: 1)" in finding.message


def test_a_place_that_lacks_a_ca_fails_and_names_it(tree: dict[str, Entry]) -> None:
    tree["/opt/certifi.pem"] = pki.pem(pki.certificate("Public Root"))
    finding = verdict(environment(tree, "#\nREQUESTS_CA_BUNDLE=/opt/certifi.pem\n"))
    assert (finding.subject, finding.status) == ("REQUESTS_CA_BUNDLE", Status.FAIL)
    assert finding.message == "/opt/certifi.pem lacks CN=Internal CA"
    assert (finding.path, finding.line, finding.actual) == ("/etc/environment", 2, "certificates: 1")


def test_a_ca_of_the_policy_counts_though_nobody_added_it(tree: dict[str, Entry]) -> None:
    other = pki.certificate("Other CA")
    tree["/opt/own.pem"] = pki.pem(CA)
    policy = Policy(POLICY.rules, (TrustedCa(pki.sha256(other), "CN=Other CA", "test"),))
    assert verdict(environment(tree, "PIP_CERT=/opt/own.pem\n"), policy).message == "/opt/own.pem lacks CN=Other CA"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SSL_CERT_FILE=/nothing.pem", "/nothing.pem is not there"),
        ("SSL_CERT_FILE=/opt/empty.pem", "/opt/empty.pem holds no certificate"),
        ("SSL_CERT_DIR=/opt:/nothing", "/opt:/nothing holds no certificate"),
        ("GIT_SSL_NO_VERIFY=1", "git accepts any certificate, whatever the value is"),
        ("CURL_CA_BUNDLE=", "requests before 2.28 verifies nothing where this is empty"),
    ],
)
def test_what_leads_nowhere_or_switches_off_fails(tree: dict[str, Entry], line: str, message: str) -> None:
    tree["/opt/empty.pem"] = "no certificate\n"
    finding = verdict(environment(tree, f"{line}\n"))
    assert (finding.status, finding.message) == (Status.FAIL, message)
    assert finding.hint
    assert finding.line == 1


def test_one_of_several_folders_is_enough(tree: dict[str, Entry]) -> None:
    tree["/opt/certs/0123abcd.0"] = pki.pem(CA)
    assert verdict(environment(tree, "SSL_CERT_DIR=/nothing:/opt/certs\n")).status is Status.PASS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("SSL_CERT_FILE=$SOMEWHERE/ca.pem", "its value is computed"),
        ("SSL_CERT_FILE=ca.pem", "it depends on the working directory"),
        ("SSL_CERT_FILE=/opt/broken.pem", "cannot be read: /opt/broken.pem: Input/output error"),
    ],
)
def test_what_cannot_be_told_is_an_error(tree: dict[str, Entry], line: str, message: str) -> None:
    tree["/opt/broken.pem"] = Broken()
    finding = verdict(environment(tree, f"{line}\n"))
    assert finding.status is Status.ERROR
    assert message in finding.message


def test_a_file_that_cannot_be_read_is_an_error_and_one_that_its_tool_refuses_a_failure(tree: dict[str, Entry]) -> None:
    tree |= {"/etc/environment": Broken(), "/root/.gitconfig": "[http\n"}
    found = {finding.subject: finding.status for finding in ask(CHECK, tree, POLICY)}
    assert found == {"/etc/environment": Status.ERROR, "/root/.gitconfig": Status.FAIL}


def test_nothing_is_told_twice(tree: dict[str, Entry]) -> None:
    """The check ``verification`` reads git's switches and some variables, too; it does not read curl's."""
    tree |= {
        "/etc/gitconfig": "[http]\nsslVerify = false\n",
        "/etc/environment": "GIT_SSL_NO_VERIFY=1\n",
        "/root/.curlrc": "insecure\n",
        "/home/zuul/.gitconfig": "[http\n",
    }
    both = images.policy(certificates={"settings": True}, air_gap={"verification": True})
    alone = {finding.subject for finding in failures(ask(CHECK, tree, POLICY))}
    assert alone == {"git http.sslverify", "GIT_SSL_NO_VERIFY", "curl insecure", "/home/zuul/.gitconfig"}
    assert {finding.subject for finding in failures(ask(CHECK, tree, both))} == {"curl insecure"}
    told = {finding.path for finding in failures(ask("verification", tree, both))}
    assert told == {"/etc/gitconfig", "/etc/environment", "/home/zuul/.gitconfig"}


def test_hostile_names_do_not_get_out(tree: dict[str, Entry]) -> None:
    finding = verdict(environment(tree, f"SSL_CERT_FILE=/\x1b[31m{'x' * 5000}\n"))
    assert finding.status is Status.FAIL
    assert len(finding.message) < 500


def test_a_policy_has_to_ask(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
