"""Reports to be written: of a sound image, a broken one, one with waivers, one that lies, one that nobody can read."""

import datetime
import io
from collections.abc import Callable
from dataclasses import replace

from diskimage_validator.model import NOT_ASKED, Finding, Report, Result, Severity, Status, TargetInfo, Waiver
from diskimage_validator.policy_model import Policy, TrustedCa
from diskimage_validator.reports import WRITERS
from diskimage_validator.runner import run_checks
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import TARGET, Broken, Entry, Link

RULES = images.rules(
    os={"any": [{"id": "debian", "versions": ["12", "13"]}]},
    packages={"required": ["docker.io | podman", "skopeo (>= 1.9)", "jq"]},
    commands={"required": ["docker | podman", "skopeo", "jq"]},
    disk={"max_virtual_size": "10 GiB", "partition_table": ["mbr", "gpt"]},
)
SHOWN = {"os", "architecture", "packages-required", "commands-required", "ca-trusted", "ca-anchors", "disk"}
"""So that the golden files do not change with every check that is added."""
CA_DIGEST = "c0ffee" + "0" * 58
HOSTILE = '\x1b[2J\x00\u202e<b>&"]]>\udcff\ufffe</script>{{7*7}}'
WAIVERS = (
    Waiver("ca-anchors", "CN=Old*", "renewed with the next release", datetime.date(2026, 9, 1), "active", 1),
    Waiver("disk", "*", "the label is being enlarged", datetime.date(2026, 5, 1), "expired", 1),
    Waiver("os", "*", "trixie is on its way", datetime.date(2026, 12, 1), "unused", 0),
)


def report_on(tree: dict[str, Entry], trusted: tuple[TrustedCa, ...] = ()) -> Report:
    """Return what the checks say about ``tree``, with everything that changes from day to day held still."""
    facts = facts_of(tree, disk=images.disk())
    report = run_checks(Policy(RULES, trusted), facts, now=pki.NOW)
    results = tuple(result for result in report.results if result.check in SHOWN)
    report = replace(report, results=results, policy_digest="d" * 64, notes=("no KVM: slow",))
    return replace(report, duration=1.25, tool_version="1.2.3")


def sound(tree: dict[str, Entry]) -> Report:
    return report_on(tree)


def broken(tree: dict[str, Entry]) -> Report:
    tree[images.BUNDLE] = pki.pem(pki.certificate("Public Root"))
    tree[images.STATUS] = images.stanza("jq") + "\n" + images.stanza("skopeo", status="deinstall ok config-files")
    tree["/usr/bin/podman"] = Link("/opt/podman")
    return report_on(tree, (TrustedCa(CA_DIGEST, "CN=Corporate CA", "policy"),))


def unreadable(tree: dict[str, Entry]) -> Report:
    tree[images.STATUS] = Broken()
    return report_on(tree)


def made(*results: Result, waivers: tuple[Waiver, ...] = ()) -> Report:
    """Return a report with these results."""
    return Report(TARGET, "test", "d" * 64, "memory", "1.2.3", "2026-06-01T12:00:00+00:00", 1.25, results, (), waivers)


def waived(_: dict[str, Entry]) -> Report:
    """A report with waivers in every state, a finding with a line, and checks that were not asked for."""
    old = Finding(
        "CN=Old CA",
        Status.FAIL,
        "/usr/local/share/ca-certificates/old.crt expired on 2026-05-20",
        "in the generated bundle, valid, CA:TRUE",
        "in the bundle, valid 2016-05-20 to 2026-05-20, CA:TRUE",
        "replace or remove the file and run update-ca-certificates",
        "/usr/local/share/ca-certificates/old.crt",
        1,
    )
    size = Finding("virtual size", Status.FAIL, "12.0 GiB, but at most 10.0 GiB is asked for", "at most 10.0 GiB")
    return made(
        Result("os", Severity.CRITICAL, Finding("distribution", Status.PASS, "the distribution is Debian 12")),
        Result("architecture", Severity.CRITICAL, Finding("architecture", Status.SKIP, NOT_ASKED)),
        Result("commands-required", Severity.CRITICAL, Finding("commands-required", Status.SKIP, NOT_ASKED)),
        Result("ca-anchors", Severity.CRITICAL, Finding("CA bundle", Status.PASS, "certificates: 140")),
        Result("ca-anchors", Severity.CRITICAL, old, WAIVERS[0].reason),
        Result("disk", Severity.INFO, size),
        waivers=WAIVERS,
    )


def hostile(_: dict[str, Entry]) -> Report:
    """A report in which every text of the image tries to become something else."""
    finding = Finding(HOSTILE, Status.FAIL, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 3)
    target = TargetInfo(f"/srv/{HOSTILE}.qcow2", "disk-image")
    results = (
        Result("os", Severity.CRITICAL, finding),
        Result("disk", Severity.INFO, replace(finding, subject="[red]x[/]")),
        Result("ca-anchors", Severity.INFO, finding, HOSTILE),
    )
    waiver = Waiver("ca-anchors", "*", HOSTILE, datetime.date(2026, 9, 1), "active", 1)
    report = made(*results, waivers=(waiver,))
    return replace(report, target=target, policy_name=HOSTILE, duration=0, notes=(HOSTILE,))


CASES: dict[str, Callable[[dict[str, Entry]], Report]] = {
    "sound": sound,
    "broken": broken,
    "waived": waived,
    "unreadable": unreadable,
    "hostile": hostile,
}


def written(report: Report, name: str, threshold: Severity = Severity.WARNING) -> str:
    """Return what the writer of the format ``name`` writes."""
    stream = io.StringIO()
    WRITERS[name](report, stream, threshold)
    return stream.getvalue()
