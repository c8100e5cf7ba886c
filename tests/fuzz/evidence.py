"""What comes with an image from elsewhere: a report, a Statement, an envelope. Anybody may have written them."""

import datetime
import json
from collections.abc import Iterable
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from securesystemslib.signer import CryptoSigner, SSlibKey

from diskimage_validator.attestation.demands import Demands, judge
from diskimage_validator.attestation.envelope import sign
from diskimage_validator.attestation.statement import statement_of
from diskimage_validator.model import Severity
from diskimage_validator.reports.json_reader import read_report
from tests.support import images, reports

KEY: Final = generate_private_key(SECP256R1())
NOW: Final = datetime.datetime(2026, 6, 2, tzinfo=datetime.UTC)
SHA256: Final = "ab" * 32


def report(data: bytes) -> Any:
    read, threshold = read_report(data, "report.json")
    again = reports.written(read, "json", threshold)
    assert reports.written(read_report(again.encode(), "again")[0], "json", threshold) == again
    return read.as_dict()


def statement(data: bytes) -> Any:
    evidence = judge(data, SHA256, Demands([], "d" * 64, datetime.timedelta(days=30)), NOW)
    assert evidence.statement.sha256 == SHA256
    return evidence.statement.as_dict()


def envelope(data: bytes) -> Any:
    key = SSlibKey.from_crypto(KEY.public_key())
    evidence = judge(data, SHA256, Demands([key]), NOW)
    assert evidence.statement == statement_of(reports.waived({}), Severity.WARNING)  # nothing else was ever signed
    return evidence.keyid


def report_seeds() -> Iterable[bytes]:
    for case in (reports.waived({}), reports.sound(images.debian())):
        yield json.dumps(json.loads(reports.written(case, "json"))).encode()


def statement_seeds() -> Iterable[bytes]:
    yield statement_of(reports.waived({}), Severity.WARNING).encoded()


def envelope_seeds() -> Iterable[bytes]:
    for data in statement_seeds():
        yield sign(data, CryptoSigner(KEY))
