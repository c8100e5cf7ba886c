import io

from diskimage_validator.reports.inspection import write_text
from tests.support.asking import facts_of
from tests.support.openpgp import KEY, packet, v3
from tests.support.rpm_databases import NDB_PATH, ndb, package, tree


def test_the_overview_tells_versions_and_whose_signatures_rpm_packages_have() -> None:
    headers = [
        package("podman", "2:4.9.4-12.el9", OPENPGP=[""]),
        package("jq", "1.6-15.el9"),
        package("sudo", "1.9.5-10.el9", SIGNED=packet(v3())),
        package("gpg-pubkey", "3135ce90-5ccc5b19", "", SUMMARY="Example\x1b[31m"),
    ]
    stream = io.StringIO()
    write_text(facts_of(tree(NDB_PATH, ndb(headers))), stream)
    lines = [" ".join(line.split()) for line in stream.getvalue().splitlines()]
    start = lines.index("Packages")
    assert lines[start + 1 : start + 8] == [
        "installed 3 (rpm; 1 without signature)",
        "signed with key unknown: 1",
        f"signed with key {KEY.hex()}: 1",
        "public key 3135ce90 Example\\x1b[31m",
        "jq 1.6-15.el9",
        "podman 2:4.9.4-12.el9",
        "sudo 1.9.5-10.el9",
    ]
