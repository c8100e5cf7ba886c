import datetime
import subprocess
from collections.abc import Callable

import pytest
from cryptography import x509

from diskimage_validator import certificates
from diskimage_validator.certificates import fingerprints, holds_private_key, parse_certificates
from tests.support import pki
from tests.support.images import EXPIRED

CA = pki.certificate("Internal CA")


def test_pem_certificates_are_read_with_text_between_them() -> None:
    other = pki.certificate("Other")
    parsed = parse_certificates(b"# Internal\n" + pki.pem(CA) + b"\nOther:\n" + pki.pem(other))
    assert [found.sha256 for found in parsed.certificates] == [pki.sha256(CA), pki.sha256(other)]
    assert parsed.unparsed == ()


def test_a_der_certificate_is_read() -> None:
    (found,) = parse_certificates(pki.der(CA)).certificates
    assert found.subject == "CN=Internal CA"
    assert found.is_ca is True


def test_windows_line_ends_do_no_harm() -> None:
    assert len(parse_certificates(pki.pem(CA).replace(b"\n", b"\r\n")).certificates) == 1


def test_one_damaged_block_does_not_hide_the_others() -> None:
    damaged = pki.pem(CA).replace(b"MII", b"AII", 1)
    parsed = parse_certificates(pki.pem(CA) + damaged + pki.pem(pki.certificate("Other")))
    assert [found.subject for found in parsed.certificates] == ["CN=Internal CA", "CN=Other"]
    assert [block.index for block in parsed.unparsed] == [2]
    assert parsed.unparsed[0].sha256


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text.replace(b"MII", b"M!I", 1), "no valid base64"),
        (lambda text: text[: len(text) // 2], "no END line"),
        (lambda text: text.rstrip(b"\n") + text, "END line is damaged"),
        (lambda text: text.replace(b"END CERT", b"END CRET"), "END line is damaged"),
    ],
)
def test_the_reason_of_the_damage_is_told(damage: Callable[[bytes], bytes], reason: str) -> None:
    parsed = parse_certificates(damage(pki.pem(CA)))
    assert parsed.certificates == ()
    assert reason in parsed.unparsed[0].reason


def test_openssl_reads_no_certificate_from_files_joined_without_a_line_break_either() -> None:
    joined = pki.pem(CA).rstrip(b"\n") + pki.pem(CA)
    done = subprocess.run(["openssl", "x509", "-noout"], input=joined, capture_output=True, check=False)
    assert done.returncode != 0


def test_the_number_of_certificates_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "MAX_CERTIFICATES", 2)
    parsed = parse_certificates(pki.pem(CA) * 5)
    assert len(parsed.certificates) == 2
    assert "more than 2" in parsed.unparsed[0].reason


def test_fingerprints_are_those_of_the_parsed_certificates() -> None:
    data = pki.pem(CA) + pki.pem(pki.certificate("Other"))
    assert list(fingerprints(data)) == [found.sha256 for found in parse_certificates(data).certificates]


def test_a_private_key_is_recognised() -> None:
    assert holds_private_key(pki.private_key("Key"))
    assert not holds_private_key(pki.pem(CA))


@pytest.mark.parametrize(
    ("certificate", "fault"),
    [
        (CA, ""),
        (pki.certificate("Old", **EXPIRED), "expired on 2025-06-01"),
        (pki.certificate("New", start=pki.NOW + datetime.timedelta(days=1)), "is not valid before 2026-06-02"),
        (pki.certificate("Leaf", ca=False), "CA:FALSE"),
        (pki.certificate("Ancient", ca=None), "no basicConstraints"),
    ],
)
def test_faults_of_a_ca_are_told(certificate: x509.Certificate, fault: str) -> None:
    (found,) = parse_certificates(pki.pem(certificate)).certificates
    assert fault in found.fault(pki.NOW)
    assert bool(found.fault(pki.NOW)) == bool(fault)
