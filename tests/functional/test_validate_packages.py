"""Packages and commands of the real image: three defects at once, each found by its check and by no other."""

from tests.functional.conftest import RunValidator, Workshop

LIBRARY = "/usr/lib/x86_64-linux-gnu/libonig.so.5"


def test_a_lost_library_a_held_package_and_a_foreign_architecture(
    workshop: Workshop, run_validator: RunValidator
) -> None:
    with workshop as handle:
        handle.rm(LIBRARY)
        handle.command(["apt-mark", "hold", "podman"])
        handle.command(["dpkg", "--add-architecture", "i386"])
    verdict = run_validator(workshop.copy)
    assert verdict.status == 1
    assert verdict.failed() == {
        ("commands-required", "jq"),
        ("packages-state", "podman:amd64"),
        ("packages-foreign", "i386"),
    }
    (jq,) = (result for result in verdict.report["results"] if result["status"] == "fail" and result["subject"] == "jq")
    assert "/usr/bin/jq needs libonig.so.5 (through /" in jq["message"]
