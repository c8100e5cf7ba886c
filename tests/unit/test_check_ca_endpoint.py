from pathlib import Path

import pytest

from diskimage_validator.endpoints import Endpoint, parse_address
from diskimage_validator.errors import PolicyError, UsageError
from diskimage_validator.model import Finding, Status
from diskimage_validator.policy import load_policy, parse_policy
from diskimage_validator.policy_files import read_chain
from diskimage_validator.policy_model import Policy
from tests.support import images
from tests.support.asking import ask, only
from tests.support.chains import Made, authority, server, signed_with_sha1
from tests.support.images import BUNDLE
from tests.support.memory_engine import Broken, Entry

CHECK = "ca-endpoint"
HOST = "registry.internal"
ROOT = authority("Root", cert_sign=True)
OTHER = authority("Other Root")
ISSUING = authority("Issuing CA", ROOT, cert_sign=True)
LEAF = server(ISSUING, HOST)


def policy(*chain: Made, address: str = HOST, consumers: tuple[str, ...] = ("system",), strict: bool = False) -> Policy:
    ders = tuple(made.der for made in chain)
    return Policy(images.rules(), endpoints=(Endpoint(parse_address(address), ders, consumers, strict, "chain.pem"),))


def trusting(*authorities: Made) -> dict[str, Entry]:
    return {**images.debian(), BUNDLE: b"".join(made.pem for made in authorities)}


def verdict(tree: dict[str, Entry], *chain: Made, **options: object) -> Finding:
    return only(ask(CHECK, tree, policy(*chain, **options)))  # type: ignore[arg-type]


def test_a_chain_that_leads_to_a_ca_of_the_bundle_passes() -> None:
    finding = verdict(trusting(OTHER, ROOT), LEAF, ISSUING)
    assert finding.status is Status.PASS
    assert finding.subject == HOST
    assert finding.message == "trusted: CN=registry.internal < CN=Issuing CA < CN=Root"
    assert finding.actual == "valid until 2027-06-01"
    assert finding.path == BUNDLE


def test_a_missing_intermediate_is_named_with_the_remedy() -> None:
    finding = verdict(trusting(ROOT), LEAF, address=f"{HOST}:5000")
    assert (finding.status, finding.subject) == (Status.FAIL, f"{HOST}:5000")
    assert finding.message.startswith("CN=Issuing CA, the issuer of CN=registry.internal, is neither presented nor in")
    assert "the endpoint has to send it" in finding.hint


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        (trusting(OTHER), "CN=Root, the issuer of CN=Issuing CA, is neither presented nor in the bundle"),
        (
            trusting(authority("Root", key_name="renewed")),
            "signed by another key than that of the CN=Root that is there",
        ),
        (trusting(), "there is no CA to trust"),
        ({path: entry for path, entry in trusting().items() if path != BUNDLE}, "there is no CA to trust"),
    ],
)
def test_an_image_without_the_root_fails(tree: dict[str, Entry], fault: str) -> None:
    finding = verdict(tree, LEAF, ISSUING)
    assert finding.status is Status.FAIL
    assert fault in finding.message
    assert finding.hint


def test_every_fault_is_told() -> None:
    rsa = authority("RSA Root", kind="rsa2048")
    finding = verdict(trusting(rsa), signed_with_sha1(server(rsa, "web.internal", usage=()), rsa))
    assert finding.message == (
        "the server's certificate is for web.internal, and not for registry.internal; "
        "the signature of CN=web.internal is too weak: SHA1"
    )


def test_what_a_strict_client_refuses_passes_with_a_remark_unless_asked() -> None:
    plain = authority("Plain Root", identifiers=False)
    leaf = server(plain, HOST, identifiers=False)
    finding = verdict(trusting(plain), leaf)
    assert finding.status is Status.PASS
    assert "authorityKeyIdentifier: Certificate is missing required extension (CN=registry.internal)" in finding.message
    assert verdict(trusting(plain), leaf, strict=True).status is Status.FAIL
    assert verdict(trusting(ROOT), LEAF, ISSUING, strict=True).status is Status.PASS


def test_two_certificates_of_one_name_get_a_remark() -> None:
    crossed = authority("Issuing CA", OTHER, cert_sign=True)
    assert "several certificates of CN=Issuing CA" in verdict(trusting(ROOT), LEAF, ISSUING, crossed).message


def test_what_the_verifier_does_not_know_could_not_be_told() -> None:
    edwards = authority("Edwards Root", kind="ed25519")
    finding = verdict(trusting(edwards), server(edwards, HOST))
    assert finding.status is Status.ERROR
    assert "the verifier says: Forbidden public key algorithm" in finding.message


def test_an_unreadable_bundle_could_not_be_told() -> None:
    finding = verdict({**images.debian(), BUNDLE: Broken()}, LEAF, ISSUING)
    assert finding.status is Status.ERROR
    assert "Input/output error" in finding.message


def test_damaged_certificates_in_the_bundle_hide_nothing() -> None:
    tree = trusting(ROOT)
    tree[BUNDLE] = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + ROOT.pem
    assert verdict(tree, LEAF, ISSUING).status is Status.PASS


@pytest.mark.parametrize(
    ("address", "folder", "passes"),
    [
        (f"{HOST}:5000", f"{HOST}:5000", True),
        (f"{HOST}:5000", HOST, False),
        (f"{HOST}:5000", f"{HOST}:5001", False),
        (HOST, HOST, True),
        (f"{HOST}:443", HOST, True),
        (HOST, f"{HOST}:443", True),
    ],
)
def test_docker_trusts_what_certs_d_has_for_the_host(address: str, folder: str, passes: bool) -> None:
    tree = {**trusting(OTHER), f"/etc/docker/certs.d/{folder}/ca.crt": ROOT.pem}
    docker = verdict(tree, LEAF, ISSUING, address=address, consumers=("docker",))
    assert docker.subject == f"{address} for docker"
    assert docker.status is (Status.PASS if passes else Status.FAIL)
    assert verdict(tree, LEAF, ISSUING, address=address).status is Status.FAIL
    assert verdict(tree, LEAF, ISSUING, address=address, consumers=("containers",)).status is Status.FAIL


def test_docker_takes_an_intermediate_for_an_anchor_and_openssl_does_not() -> None:
    tree = trusting(ISSUING)
    assert verdict(tree, LEAF, consumers=("docker",)).status is Status.PASS
    finding = verdict(tree, LEAF)
    assert finding.status is Status.FAIL
    assert "only some clients accept a path that does not end in a root" in finding.message


def test_buildkit_has_its_own_list() -> None:
    toml = f'[registry."{HOST}:5000"]\nca = ["/etc/registry-ca.pem"]\n'
    tree = {**trusting(OTHER), "/etc/buildkit/buildkitd.toml": toml, "/etc/registry-ca.pem": ROOT.pem}
    assert verdict(tree, LEAF, ISSUING, address=f"{HOST}:5000", consumers=("buildkit",)).status is Status.PASS


def test_each_store_of_a_consumer_has_its_finding() -> None:
    places = [f"/usr/lib/python3/dist-packages/{name}/cacert.pem" for name in ("certifi", "pip/_vendor/certifi")]
    tree = {**trusting(ROOT), places[0]: OTHER.pem, places[1]: ROOT.pem}
    tree |= {path.replace("cacert.pem", "core.py"): "" for path in places}
    found = ask(CHECK, tree, policy(LEAF, ISSUING, consumers=("system", "certifi", "pip", "java")))
    assert [(finding.subject, finding.status) for finding in found] == [
        (HOST, Status.PASS),
        (f"{HOST} for certifi {places[0]}", Status.FAIL),
        (f"{HOST} for pip {places[1]}", Status.PASS),
        (f"{HOST} for java", Status.SKIP),
    ]


def test_a_policy_without_endpoints_does_not_ask() -> None:
    assert only(ask(CHECK, images.debian(), images.policy())).status is Status.SKIP


HEAD = "version: 1\nname: test\ncertificates:\n  endpoints:\n"


def test_a_policy_names_chains_relative_to_itself(tmp_path: Path) -> None:
    (tmp_path / "chain.pem").write_bytes(LEAF.pem + ISSUING.pem)
    entry = "    - {name: Registry.internal, port: 5000, chain: chain.pem, consumers: [docker], strict: true}\n"
    path = tmp_path / "policy.yaml"
    path.write_text(HEAD + entry)
    loaded = load_policy(str(path))
    (endpoint,) = loaded.endpoints
    assert str(endpoint) == f"{HOST}:5000"
    assert (endpoint.chain, endpoint.consumers, endpoint.strict) == ((LEAF.der, ISSUING.der), ("docker",), True)
    (tmp_path / "other.pem").write_bytes(b"# a comment\n" + LEAF.pem + ISSUING.pem + LEAF.pem)
    same = parse_policy(HEAD + entry.replace("chain.pem", "other.pem"), "policy", tmp_path)
    assert same.digest == loaded.digest
    assert parse_policy(HEAD + entry.replace("5000", "5001"), "policy", tmp_path).digest != loaded.digest


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: registry.internal}", "line 5: .certificates.endpoints[0].chain: is missing"),
        ("{name: 'https://registry.internal', chain: chain.pem}", ".name: 'https://registry.internal' is no"),
        ("{name: registry.internal, port: 70000, chain: chain.pem}", ".port: "),
        ("{name: registry.internal, chain: chain.pem, consumers: [firefox]}", ".consumers[0]: "),
        (
            "{name: registry.internal, chain: nothing.pem}",
            "line 5: .certificates.endpoints[0].chain: cannot read chain",
        ),
    ],
)
def test_what_is_wrong_in_a_policy_is_told_with_its_line(tmp_path: Path, entry: str, problem: str) -> None:
    (tmp_path / "chain.pem").write_bytes(LEAF.pem)
    with pytest.raises(PolicyError) as caught:
        parse_policy(f"{HEAD}    - {entry}\n", "policy", tmp_path)
    assert problem in caught.value.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no certificate in PEM form"),
        (LEAF.der, "holds no certificate in PEM form"),
        (LEAF.pem + LEAF.key_pem, "holds a private key"),
        (ISSUING.pem + LEAF.pem, "begins with a CA"),
        (LEAF.pem.replace(b"M", b"N", 2), "certificate 1 cannot be parsed"),
        (b"".join(server(ROOT, f"{number}.internal").pem for number in range(21)), "more than 20 certificates"),
        (b"x" * 300_000, "larger than 256 KiB"),
    ],
)
def test_a_file_that_is_no_chain_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=reason):
        read_chain(path)


@pytest.mark.parametrize("damage", [b"-----BEGIN CERTIFICATE-----x", b"-----BEGIN CERTIFICATE", b"0 s:CN=a"])
def test_a_block_that_is_none_is_text_between_the_blocks(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(damage + b"\n" + LEAF.pem + ISSUING.pem)
    assert read_chain(path) == (LEAF.der, ISSUING.der)
