"""What ``inspect`` and ``doctor`` tell a person."""

import io

from diskimage_validator.doctor import Diagnosis
from diskimage_validator.reports.diagnosis import write_diagnoses
from diskimage_validator.reports.inspection import INSPECTION_WRITERS
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry


def test_an_inspection_shows_what_a_person_asks_for(tree: dict[str, Entry]) -> None:
    stream = io.StringIO()
    INSPECTION_WRITERS["text"](facts_of(tree, disk=images.disk()), stream)
    text = stream.getvalue()
    for expected in (
        "Debian GNU/Linux 12 (bookworm)",
        "6.1.0-28-amd64",
        "x86_64",
        "ext4, on /",
        "5 (dpkg; 0 more known",
        "1.9.3+ds1-1+b1",
        "CN=Internal CA",
        "2025-06-01 to 2027-06-01, CA:TRUE",
        pki.sha256(pki.certificate("Internal CA")),
    ):
        assert expected in text


def test_an_inspection_says_what_could_not_be_read() -> None:
    stream = io.StringIO()
    INSPECTION_WRITERS["text"](facts_of({}), stream)
    assert "could not be read: no operating system" in stream.getvalue()
    assert "could not be read: no package database" in stream.getvalue()


def test_doctor_says_which_engine_works_and_what_mends_it() -> None:
    found = [
        Diagnosis("guestfs", "QEMU", ok=True, message="/usr/bin/qemu"),
        Diagnosis("guestfs", "kernel", ok=False, message="not readable", remedy="chmod 0644 it"),
        Diagnosis("direct", "QEMU", ok=True, message="/usr/bin/qemu"),
    ]
    stream = io.StringIO()
    assert write_diagnoses(found, stream)
    assert "engine guestfs  does not work" in stream.getvalue()
    assert "remedy: chmod 0644 it" in stream.getvalue()
    assert "This host can read disk images (direct)." in stream.getvalue()
    assert not write_diagnoses(found[:2], stream)
