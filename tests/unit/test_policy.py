import os
import shutil
from pathlib import Path

import pytest

from diskimage_validator.errors import PolicyError, UsageError
from diskimage_validator.model import Severity
from diskimage_validator.policy import load_policy, parse_policy, shipped_policies
from diskimage_validator.policy_model import Policy
from tests.support import pki

HEAD = "version: 1\nname: test\n"


def parse(text: str, folder: Path = Path()) -> Policy:
    return parse_policy(HEAD + text, "test.yaml", folder)


def errors_of(text: str, folder: Path = Path(), head: str = HEAD) -> list[str]:
    """Return the lines of the message after its headline."""
    with pytest.raises(PolicyError) as caught:
        parse_policy(head + text, "test.yaml", folder)
    assert caught.value.exit_status == 2
    return [line.strip() for line in caught.value.message.splitlines()[1:]]


@pytest.mark.parametrize("name", shipped_policies())
def test_every_shipped_policy_loads_and_bears_its_name(name: str) -> None:
    assert load_policy(name).name == name


def test_the_container_node_asks_for_the_tooling_of_a_build_node() -> None:
    rules = load_policy("container-node").rules
    assert {"buildah", "skopeo", "jq", "qemu-img"} < {name for names in rules.commands.required for name in names}
    assert any("podman" in str(relation) and "docker.io" in str(relation) for relation in rules.packages.required)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UsageError) as caught:
        load_policy("container-nod")
    assert "did you mean 'container-node'?" in caught.value.hint


def test_a_missing_file_is_named() -> None:
    with pytest.raises(UsageError, match=r"cannot read policy /no/such\.yaml: No such file"):
        load_policy("/no/such.yaml")


def test_a_folder_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        load_policy(f"{tmp_path}/")


def test_a_huge_file_is_refused_without_being_parsed(tmp_path: Path) -> None:
    file = tmp_path / "big.yaml"
    file.touch()
    os.truncate(file, 2 * 1024**2)
    with pytest.raises(UsageError, match="larger than 256 KiB"):
        load_policy(str(file))


def test_all_errors_are_told_at_once_with_path_and_line() -> None:
    assert errors_of(
        """\
name: again
packges: {}
packages:
  required:
    - skopeo (> 1)
os: {any: [{id: debian, versions: [12]}]}
disk: {min_free: 10}
severity: {dsk: info}
"""
    ) == [
        "line 3: .name: duplicate key, first used in line 2",
        "line 4: .packges: unknown key; did you mean 'packages'?",
        "line 7: .packages.required[0]: unknown operator '>': use one of << <= = >= >>",
        "line 8: .os.any[0].versions[0]: text is wanted: write the number in quotes",
        "line 9: .disk.min_free: a size with its unit, such as '10 GiB', is wanted, as text",
        "line 10: .severity.dsk: no such check; did you mean 'disk'?",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("packages: [skopeo]", "line 3: .packages: a mapping of keys to values is wanted"),
        ("packages: {required: skopeo}", "line 3: .packages.required: a list is wanted"),
        ("commands: {required: [a b]}", "line 3: .commands.required[0]: 'a b' is no command name"),
        ("certificates: {anchors: 1}", "line 3: .certificates.anchors: true or false is wanted"),
        ("certificates: {trusted: [{}]}", "line 3: .certificates.trusted[0]: give either 'file' or 'sha256'"),
        ("certificates: {trusted: [{sha256: AA:BB}]}", "line 3: .certificates.trusted[0].sha256: a sha256 is wanted"),
        ("os: {any: [{id: debian, versions: ['12'], verzions: x}]}", "unknown key; did you mean 'versions'?"),
        ("os: {any: []}", "line 3: .os.any: List should have at least 1 item"),
        ("disk: {partition_table: [dos]}", "line 3: .disk.partition_table[0]: Input should be 'mbr', 'gpt' or 'none'"),
        ("severity: {disk: loud}", "line 3: .severity.disk: use one of info, warning, critical"),
        ("1: 2", "line 3: .1: unknown key"),
    ],
)
def test_each_kind_of_error_says_what_is_wanted(text: str, expected: str) -> None:
    (error,) = errors_of(text)
    assert expected in error


def test_a_policy_needs_version_and_name() -> None:
    assert errors_of("description: x", head="") == ["line 1: .version: is missing", "line 1: .name: is missing"]


def test_a_later_version_is_refused() -> None:
    assert "only version 1" in errors_of("name: x", head="version: 2\n")[0]


@pytest.mark.parametrize("text", ["- a", "text", "1"])
def test_a_policy_is_a_mapping(text: str) -> None:
    assert "is a mapping" in errors_of(text, head="")[0]


def test_severities_are_read() -> None:
    assert parse("severity: {disk: info}").rules.severity == {"disk": Severity.INFO}


def test_ca_files_are_relative_to_the_policy(tmp_path: Path) -> None:
    ca = pki.certificate("Internal CA")
    (tmp_path / "ca.pem").write_bytes(pki.pem(ca))
    (tmp_path / "policy.yaml").write_text(HEAD + "certificates: {trusted: [{file: ca.pem}]}\n")
    (trusted,) = load_policy(str(tmp_path / "policy.yaml")).trusted
    assert (trusted.sha256, trusted.subject) == (pki.sha256(ca), "CN=Internal CA")


def test_a_ca_file_may_hold_several_certificates_or_be_der(tmp_path: Path) -> None:
    one, two = pki.certificate("One"), pki.certificate("Two")
    (tmp_path / "both.pem").write_bytes(pki.pem(one) + pki.pem(two))
    (tmp_path / "one.der").write_bytes(pki.der(one))
    policy = load_policy("minimal", ca_files=[tmp_path / "both.pem", tmp_path / "one.der"])
    assert [ca.sha256 for ca in policy.trusted] == [pki.sha256(one), pki.sha256(two)]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no certificate"),
        (b"text", "holds no certificate"),
        (pki.private_key("Key"), "holds a private key"),
        (pki.pem(pki.certificate("Key")) + pki.private_key("Key"), "holds a private key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be parsed"),
    ],
)
def test_a_bad_ca_file_is_refused_with_its_place_in_the_policy(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    (error,) = errors_of("certificates:\n  trusted:\n    - file: ca.pem\n", tmp_path)
    assert error.startswith("line 5: .certificates.trusted[0].file: ")
    assert reason in error


def test_a_missing_ca_file_is_an_error() -> None:
    (error,) = errors_of("certificates: {trusted: [{file: nope.pem}]}")
    assert "No such file" in error


def test_the_digest_is_of_what_is_asked_for_and_not_of_how_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(pki.pem(pki.certificate("Internal CA")))
    shutil.copy(tmp_path / "ca.pem", tmp_path / "other.pem")
    text = "certificates: {trusted: [{file: %s}]}\npackages: {required: ['%s']}\n"
    first = parse(text % ("ca.pem", "a|b"), tmp_path)
    assert first.digest == parse(text % ("other.pem", "a | b"), tmp_path).digest
    assert first.digest != parse(text % ("ca.pem", "a | c"), tmp_path).digest
    assert first.digest != parse("packages: {required: [a | b]}").digest
