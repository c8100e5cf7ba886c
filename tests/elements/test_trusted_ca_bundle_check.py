"""What the element trusted-ca-bundle refuses, and how it reads files: root.d/01 and the program behind it."""

import datetime
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.elements.ca_bundle import (
    BUNDLE,
    CHECK,
    ELEMENT,
    FOLDER,
    anchor_name,
    anchors,
    bake,
    bundle_env,
    names,
    save,
)
from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import ELEMENTS
from tests.elements.pki import Issued, make_ca

CA_ANCHORS = ELEMENTS / ELEMENT / ELEMENT / "ca-anchors"

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)

REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "expired": (
        lambda: make_ca("Old CA", NOW - 20 * DAY, NOW - 10 * DAY).cert_pem,
        r"certificate 1 expired on \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(subject: CN=Old CA\)",
    ),
    "not yet valid": (
        lambda: make_ca("Next CA", NOW + 10 * DAY, NOW + 20 * DAY).cert_pem,
        r"certificate 1 is not valid before .* UTC \(subject: CN=Next CA\)",
    ),
    "CA:FALSE": (
        lambda: make_ca("web.internal", is_ca=False).cert_pem,
        r"certificate 1 is no CA \(basicConstraints does not say CA:TRUE\) \(subject: CN=web.internal\)",
    ),
    "no basicConstraints": (
        lambda: make_ca("Bare", is_ca=None).cert_pem,
        r"certificate 1 is no CA .*\(subject: CN=Bare\)",
    ),
    "private key beside the certificate": (
        lambda: make_ca("CA").cert_pem + make_ca("CA").key_pem,
        r"holds a private key; give the certificate alone",
    ),
    "private key alone": (lambda: make_ca("CA").key_pem, r"holds a private key"),
    "private key in DER form": (lambda: make_ca("CA").key_der, r"holds a private key"),
    "empty file": (lambda: b"", r"holds no certificate in PEM or DER form"),
    "text": (lambda: b"-----BEGIN NONSENSE-----\nhello\n", r"holds no certificate in PEM or DER form"),
    "damaged": (
        lambda: make_ca("CA").cert_pem.replace(b"MII", b"AAA"),
        r"certificate 1 cannot be read: it is damaged or cut off",
    ),
    "cut off": (
        lambda: make_ca("CA").cert_pem[:-40],
        r"certificate 1 cannot be read: it is damaged or cut off",
    ),
    "good, then expired": (
        lambda: make_ca("Good").cert_pem + make_ca("Old CA", NOW - 20 * DAY, NOW - 10 * DAY).cert_pem,
        r"certificate 2 expired on .*\(subject: CN=Old CA\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unfit_file_stops_the_build_and_is_named_with_the_reason(
    fake_root: MakeRoot, tmp_path: Path, case: str
) -> None:
    make, reason = REFUSED[case]
    file = save(tmp_path / "my ca.pem", make())
    root = fake_root(ELEMENT)
    run = root.run_outside(CHECK, bundle_env(file))
    assert run.status == 1
    errors = [line for line in run.output.splitlines() if line.startswith("ERROR")]
    assert len(errors) == 1
    assert re.fullmatch(rf"ERROR: trusted-ca-bundle: {re.escape(str(file))}: {reason}.*", errors[0])


def test_refusal_leaves_no_mount_and_no_anchor(fake_root: MakeRoot, tmp_path: Path) -> None:
    root = fake_root(ELEMENT)
    run = root.run_outside(CHECK, bundle_env(save(tmp_path / "empty", b"")))
    assert run.status == 1
    assert not run.left_mounted
    assert not (root.hooks / ELEMENT / "anchors").exists()


def test_all_problems_are_told_at_once(fake_root: MakeRoot, tmp_path: Path) -> None:
    run = fake_root(ELEMENT).run_outside(
        CHECK, bundle_env(tmp_path / "absent.pem", tmp_path, save(tmp_path / "empty", b""))
    )
    assert f"{tmp_path}/absent.pem: does not exist" in run.output
    assert f"{tmp_path}: is not a file" in run.output
    assert f"{tmp_path}/empty: holds no certificate" in run.output


def test_private_key_does_not_reach_a_trace(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    file = save(tmp_path / "both.pem", ca.cert_pem + ca.key_pem)
    run = fake_root(ELEMENT).run_outside(CHECK, {**bundle_env(file), "DIB_DEBUG_TRACE": "2"})
    assert run.status == 1
    assert ca.key_pem.decode().splitlines()[1] not in run.log


def test_distribution_without_a_known_store_is_refused_first(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    (root.hooks / "environment.d/99-test").write_text("export DISTRO_NAME=gentoo\n")
    run = root.run_outside(CHECK, bundle_env(save(tmp_path / "ca.pem", ca.cert_pem)))
    assert run.status == 1
    assert "ERROR: trusted-ca-bundle: the trust store of DISTRO_NAME=gentoo is not known" in run.output


def standalone(*arguments: str, user: int | None = None, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CA_ANCHORS, *arguments], capture_output=True, text=True, user=user, cwd=cwd or "/", check=False
    )


def test_file_that_the_user_may_not_read_is_refused(tmp_path: Path, ca: Issued) -> None:
    if os.geteuid() != 0:
        pytest.fail("needs root to become another user")
    file = save(tmp_path / "ca.pem", ca.cert_pem)
    file.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)  # with --basetemp, the last of them may be /tmp itself
    run = standalone(str(file), user=65534)
    assert run.returncode == 1
    assert f"{file}: cannot be read by nobody" in run.stderr


def test_check_runs_without_dib_and_writes_nothing(tmp_path: Path, ca: Issued) -> None:
    run = standalone(str(save(tmp_path / "ca.pem", ca.cert_pem)))
    assert run.returncode == 0
    assert f"is fine (subject: CN=Internal Root CA, SHA-256: {ca.sha256})" in run.stdout
    assert names(tmp_path) == ["ca.pem"]


def test_check_without_a_file_is_wrong_usage() -> None:
    run = standalone()
    assert run.returncode == 2
    assert run.stderr.startswith("Usage: ca-anchors")


def test_value_that_names_no_file_is_refused() -> None:
    run = standalone(":")
    assert run.returncode == 1
    assert "names no file" in run.stderr


@pytest.mark.parametrize(
    "name", ["with space.pem", "-noout", "a=b.pem", "$(id).pem", "tab\tnew\nline", "quote'\".pem", "ümläut*?.pem"]
)
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_odd_file_names_are_names_only(tmp_path: Path, ca: Issued, name: str, absolute: bool) -> None:
    save(tmp_path / name, ca.cert_pem)
    run = standalone(str(tmp_path / name) if absolute else name, str(tmp_path / "out"), cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert names(tmp_path / "out") == [anchor_name("internal-root-ca", ca)]


@pytest.mark.parametrize(
    ("subject", "slug"),
    [("", "ca"), ("日本", "ca"), ("../../etc/passwd", "etc-passwd"), ("Ä b", "b"), ("x" * 64, "x" * 40)],
)
def test_anchor_name_is_safe_for_any_subject(tmp_path: Path, subject: str, slug: str) -> None:
    odd = make_ca(subject)
    run = standalone(str(save(tmp_path / "ca.pem", odd.cert_pem)), str(tmp_path / "out"))
    assert run.returncode == 0, run.stderr
    assert re.fullmatch(rf"(\w+-)*{slug}-{odd.sha256[:16]}\.crt", names(tmp_path / "out")[0])


def test_several_certificates_in_one_windows_file(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    second = make_ca("Issuing CA", issuer=ca)
    text = "\ufeffsubject=CN = Internal\r\n".encode() + ca.cert_pem.replace(b"\n", b"\r\n")
    text += b"\r\nBag Attributes\r\n    friendlyName: x\r\n" + second.cert_pem.replace(b"\n", b"\r\n").rstrip()
    root = fake_root(ELEMENT)
    bake(root, save(tmp_path / "windows.cer", text))
    assert anchors(root) == sorted([anchor_name("internal-root-ca", ca), anchor_name("issuing-ca", second)])
    assert root.read(f"{FOLDER['debian']}/{anchor_name('issuing-ca', second)}") == second.cert_pem.decode()


def test_indented_block_as_pasted_into_yaml_is_read(tmp_path: Path, ca: Issued) -> None:
    indented = "ca: |\n" + "".join(f"    {line}\n" for line in ca.cert_pem.decode().splitlines())
    run = standalone(str(save(tmp_path / "ca.yaml", indented.encode())), str(tmp_path / "out"))
    assert run.returncode == 0, run.stderr
    assert names(tmp_path / "out") == [anchor_name("internal-root-ca", ca)]


def test_trusted_certificate_block_becomes_a_plain_one(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    command = ["openssl", "x509", "-trustout", "-addtrust", "serverAuth"]
    trusted = subprocess.run(command, input=ca.cert_pem, capture_output=True, check=True).stdout
    assert b"BEGIN TRUSTED CERTIFICATE" in trusted
    root = fake_root(ELEMENT)
    bake(root, save(tmp_path / "trusted.pem", trusted))
    assert root.read(f"{FOLDER['debian']}/{anchor_name('internal-root-ca', ca)}") == ca.cert_pem.decode()


def test_der_file_is_baked_as_pem(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    bake(root, save(tmp_path / "ca.der", ca.cert_der))
    assert root.read(f"{FOLDER['debian']}/{anchor_name('internal-root-ca', ca)}") == ca.cert_pem.decode()


def test_duplicates_over_files_become_one_anchor(fake_root: MakeRoot, tmp_path: Path, ca: Issued) -> None:
    root = fake_root(ELEMENT)
    bake(root, save(tmp_path / "a.pem", ca.cert_pem * 2), save(tmp_path / "b.der", ca.cert_der))
    assert anchors(root) == [anchor_name("internal-root-ca", ca)]
    assert root.read(BUNDLE["debian"]).count("BEGIN CERTIFICATE") == 1
