from diskimage_validator.model import Finding, Status
from diskimage_validator.policy_model import Policy, TrustedCa
from tests.support import images, pki
from tests.support.asking import ask, only
from tests.support.images import BUNDLE, hash_links, internal_ca
from tests.support.memory_engine import Broken, Entry

CHECK = "ca-only"
CA = pki.certificate("Internal CA")
COPY = "/opt/venv/certifi/cacert.pem"
DAMAGED = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def found(tree: dict[str, Entry], *allowed: str) -> list[Finding]:
    cas = tuple(TrustedCa(sha256, "", "policy") for sha256 in (allowed or (pki.sha256(CA),)))
    return ask(CHECK, tree, Policy(images.rules(certificates={"only": True}), cas))


def statuses(tree: dict[str, Entry]) -> dict[str, Status]:
    return {finding.subject: finding.status for finding in found(tree)}


def internal() -> dict[str, Entry]:
    """An image that trusts the internal CA alone."""
    return {"/etc/os-release": "ID=debian\n", BUNDLE: internal_ca(), **hash_links({"ca": internal_ca()})}


def test_an_image_with_no_other_ca_passes() -> None:
    assert statuses(internal()) == {f"system {BUNDLE}": Status.PASS, "openssl /etc/ssl/certs": Status.PASS}


def test_it_is_not_asked_by_default(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP


def test_the_distributions_cas_fail_with_some_of_their_names(tree: dict[str, Entry]) -> None:
    finding = found(tree)[0]
    assert (finding.status, finding.message) == (Status.FAIL, "CAs that nobody asked for: 2")
    assert finding.actual == "CN=Public Root; CN=Public Root\\, expired"


def test_a_copy_with_others_fails() -> None:
    tree = internal()
    tree[COPY] = internal_ca() + b"".join(pki.pem(pki.certificate(f"CA {number}")) for number in range(5))
    finding = found(tree)[-1]
    assert (finding.subject, finding.status) == (f"certifi {COPY}", Status.FAIL)
    assert finding.actual.endswith("and 2 more")


def test_what_cannot_be_read_is_an_error() -> None:
    tree = internal()
    tree[COPY] = Broken()
    tree["/srv/certifi/cacert.pem"] = DAMAGED
    assert list(statuses(tree).values())[2:] == [Status.ERROR, Status.ERROR]


def test_a_policy_that_names_no_ca_cannot_be_asked(tree: dict[str, Entry]) -> None:
    policy = images.policy(certificates={"only": True})
    assert only(ask(CHECK, tree, policy)).status is Status.ERROR


def test_an_image_without_stores_passes() -> None:
    assert only(found({"/etc/os-release": "ID=debian\n"})).status is Status.PASS
