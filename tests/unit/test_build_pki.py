import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from airgap_image_factory.pki import LIFETIME, MARGIN, NAME, throw_away_authority
from diskimage_validator import load_policy
from diskimage_validator.policy import shipped_policies


def test_the_throw_away_ca_is_a_ca_with_a_name_that_warns(tmp_path: Path) -> None:
    authority = throw_away_authority(tmp_path / "pki")
    certificate = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    assert certificate.subject.rfc4514_string() == f"CN={NAME}".replace(",", "\\,")
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    assert certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC) < datetime.timedelta(days=91)


def test_its_key_is_its_own_and_private(tmp_path: Path) -> None:
    authority = throw_away_authority(tmp_path)
    certificate = x509.load_pem_x509_certificate(authority.certificate.read_bytes())
    key = serialization.load_pem_private_key(authority.key.read_bytes(), None)
    assert key.public_key() == certificate.public_key()
    assert authority.key.stat().st_mode & 0o777 == 0o600


def test_it_is_made_once(tmp_path: Path) -> None:
    first = throw_away_authority(tmp_path).certificate.read_bytes()
    assert throw_away_authority(tmp_path).certificate.read_bytes() == first


def test_a_broken_one_is_replaced(tmp_path: Path) -> None:
    authority = throw_away_authority(tmp_path)
    authority.certificate.write_text("garbage")
    x509.load_pem_x509_certificate(throw_away_authority(tmp_path).certificate.read_bytes())


def test_an_image_with_the_throw_away_ca_passes_every_shipped_policy_for_a_week() -> None:
    for name in shipped_policies():
        asked = load_policy(name).rules.certificates.min_days_left or 0
        assert datetime.timedelta(days=asked + 7) <= MARGIN < LIFETIME, name
