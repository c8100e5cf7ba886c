"""What only a running system tells: facts from the tools' own words, and the verdicts on them."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.endpoints import Address
from diskimage_validator.facts import Facts, collect, dump, replay
from diskimage_validator.facts.live.asking import Asked
from diskimage_validator.model import Finding, Status
from diskimage_validator.runner import run_checks
from tests.support import images, pki
from tests.support.answering import AnsweringEngine
from tests.support.memory_engine import Entry, MemoryEngine

LIVE: dict[str, Any] = {
    "disk": {"size": "80 GB", "free": "60 GB"},
    "container_engine": ["podman", "docker"],
    "tls": ["registry.internal:443"],
    "egress": {"allowed": ["mirror.internal:443"], "blocked": ["192.0.2.1:443"]},
    "clock": {"max_offset": 2, "synchronized": True},
    "modules": {"required": ["overlay"], "forbidden": ["usb-storage"]},
    "min_entropy": 256,
    "failed_units": {"allowed": ["e2scrub*"]},
}
DF = "Filesystem     1024-blocks     Used Available Capacity Mounted on\n{source}   {size} 1 {free}      44% {at}\n"
SYNC = "timedatectl show --property=NTPSynchronized --value"
Answers = Mapping[str, str | tuple[int, str, str]]


def df(size: int = 80, free: int = 70, source: str = "/dev/vda1", at: str = "/") -> str:
    return DF.format(size=size * 10**6, free=free * 10**6, source=source, at=at)


def ask(
    check: str, answers: Answers, tree: dict[str, Entry] | None = None, *, root: bool = True, **live: Any
) -> list[Finding]:
    """Run one check over what a node answers, through JSON as facts may be kept."""
    policy = images.policy(live=live)
    assert CHECKS[check].asked(policy)
    rules = policy.rules.live
    asked = Asked(tuple(rules.tls), (*rules.egress.allowed, *rules.egress.blocked))
    facts = collect(AnsweringEngine(answers, tree, root=root), asked=asked, only=CHECKS[check].needs)
    again = replay(json.dumps(dump(facts)))
    return [result.finding for result in run_checks(policy, again, now=pki.NOW).results if result.check == check]


def told(findings: list[Finding]) -> dict[str, str]:
    return {finding.subject: str(finding.status) for finding in findings}


def facts_at_rest() -> Facts:
    return collect(MemoryEngine(images.debian()))


@pytest.mark.parametrize("check", [name for name in CHECKS if name.startswith("live-") and name != "live-registry"])
def test_an_image_at_rest_is_skipped(check: str) -> None:
    policy = images.policy(live=LIVE)
    assert CHECKS[check].asked(policy)
    assert not CHECKS[check].asked(images.policy())
    findings = list(CHECKS[check].run(Question(facts_at_rest(), policy, pki.NOW)))
    assert findings
    assert {finding.status for finding in findings} == {Status.SKIP}


# Room.


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"df": df(), "lsblk": "part 79999999488\ndisk 80000000000\n"}, {"disk": "pass", "/": "pass"}),
        ({"df": df(), "lsblk": "disk 79999999999\n"}, {"disk": "fail", "/": "pass"}),
        ({"df": df(free=58), "lsblk": "lvm 1\npart 2\ndisk 80000000000\n"}, {"disk": "pass", "/": "fail"}),
        ({"df": df()}, {"disk": "error", "/": "pass"}),
        ({"df": df(), "lsblk": "disk 80000000000\ndisk 90000000000\n"}, {"disk": "error", "/": "pass"}),
        ({"df": df(source="overlay"), "lsblk": "disk 80000000000\n"}, {"disk": "error", "/": "pass"}),
        ({"df": "nonsense\n"}, {"Room on a running node": "error"}),
        ({"df": (1, "", "df: /: Stale file handle\n")}, {"Room on a running node": "error"}),
    ],
)
def test_room(answers: Answers, expected: dict[str, str]) -> None:
    assert told(ask("live-disk", answers, disk=LIVE["disk"])) == expected


def test_room_is_looked_for_where_containers_are_stored() -> None:
    answers = {
        "df -P -k -- /var/lib/docker": df(free=50, source="/dev/vdb", at="/var/lib/docker"),
        "df": df(),
    }
    tree: dict[str, Entry] = {"/var/lib/docker/x": "", "/var/lib/containers/x": ""}
    found = ask("live-disk", answers, tree, disk={"free": "60 GB"})
    assert told(found) == {"/var/lib/containers": "pass", "/var/lib/docker": "fail"}


# Engines.

PODMAN = {"version": {"Version": "4.3.1"}, "store": {"graphDriverName": "overlay", "graphRoot": "/var/lib/containers"}}
DOCKER = {"ServerVersion": "27.0", "Driver": "overlay2", "DockerRootDir": "/var/lib/docker"}
DOWN = {"ServerErrors": ["Cannot connect to the Docker daemon"], "Driver": ""}


@pytest.mark.parametrize(
    ("answers", "status", "part"),
    [
        ({"podman": json.dumps(PODMAN)}, "pass", "podman 4.3.1 (overlay in /var/lib/containers) works"),
        ({"docker": json.dumps(DOCKER)}, "pass", "docker 27.0 (overlay2 in /var/lib/docker) works"),
        ({"podman": (125, "", "Error: overlay not supported\n"), "docker": json.dumps(DOCKER)}, "pass", "docker 27.0"),
        ({"docker": json.dumps(DOWN)}, "fail", "docker: Cannot connect to the Docker daemon"),
        ({"docker": (1, json.dumps(DOCKER), "")}, "fail", "docker: exit status 1"),
        ({"podman": (125, "", "Error: overlay not supported\n")}, "fail", "podman: Error: overlay not supported"),
        ({"podman": "[" * 100_000}, "fail", "podman: no answer"),
        ({"podman": '{"version": [], "store": 7}'}, "fail", "podman: exit status 0"),
        ({}, "fail", "not there"),
    ],
)
def test_engines(answers: Answers, status: str, part: str) -> None:
    (finding,) = ask("live-engine", answers, container_engine=["podman", "docker"])
    assert str(finding.status) == status
    assert part in finding.message


def test_an_engine_that_only_root_may_ask_is_skipped() -> None:
    (finding,) = ask("live-engine", {"podman": json.dumps(PODMAN)}, root=False, container_engine=["podman"])
    assert (finding.status, finding.message, finding.hint) == (Status.SKIP, "podman: permission denied", "no sudo")


# Clock.


def clock(offset: float, sync: str | tuple[int, str, str] | None = "yes\n") -> Answers:
    answers: dict[str, str | tuple[int, str, str]] = {"true": "", "date": f"{time.time() + offset:.9f}\n"}
    return answers if sync is None else {**answers, SYNC: sync}


@pytest.mark.parametrize(("offset", "status"), [(0, "pass"), (-1, "pass"), (3600, "fail"), (-3, "fail")])
def test_the_clock_is_held_against_ours(offset: float, status: str) -> None:
    assert told(ask("live-clock", clock(offset), clock={"max_offset": 2})) == {"offset": status}


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ({SYNC: "yes\n"}, "pass"),
        ({SYNC: "no\n"}, "fail"),
        ({SYNC: "\n"}, "error"),
        ({SYNC: (1, "", "Failed to connect to bus\n"), "chronyc": "Stratum : 3\nLeap status     : Normal\n"}, "pass"),
        ({"chronyc": "Leap status     : Not synchronised\n"}, "fail"),
        ({"chronyc": "506 Cannot talk to daemon\n"}, "error"),
        ({}, "error"),
    ],
)
def test_the_clock_is_kept_in_step(answers: Answers, status: str) -> None:
    found = ask("live-clock", {**clock(0, None), **answers}, clock={"synchronized": True})
    assert told(found) == {"synchronization": status}


def test_a_date_without_fractions_is_an_error() -> None:
    (finding,) = ask("live-clock", {"true": "", "date": "1700000000.%N\n"}, clock={"max_offset": 2})
    assert finding.status is Status.ERROR


# The kernel.

MODULES = "overlay 151552 1 - Live 0x0000000000000000\nusb_storage 1 0 - Live 0x0\n"
BUILTIN: dict[str, Entry] = {
    "/lib/modules/6.1.0-9-amd64/modules.builtin": "kernel/fs/ext4/ext4.ko\nkernel/net/br-x.ko\n"
}


def kernel(modules: str = MODULES, entropy: str = "256\n") -> Answers:
    return {"uname": "6.1.0-9-amd64\n", "sh -c [ ! -e /proc/modules ]": modules, "cat": entropy}


@pytest.mark.parametrize(
    ("rules", "tree", "expected"),
    [
        ({"required": ["overlay", "ext4", "br_x"]}, BUILTIN, {"overlay": "pass", "ext4": "pass", "br_x": "pass"}),
        ({"required": ["br_netfilter"]}, BUILTIN, {"br_netfilter": "fail"}),
        ({"forbidden": ["usb-storage", "ext4"]}, BUILTIN, {"usb-storage": "fail", "ext4": "fail"}),
        ({"forbidden": ["firewire-core"]}, BUILTIN, {"firewire-core": "pass"}),
        ({"required": ["overlay"], "forbidden": ["ext4"]}, {}, {"overlay": "pass", "ext4": "error"}),
    ],
)
def test_modules(rules: dict[str, list[str]], tree: dict[str, Entry], expected: dict[str, str]) -> None:
    assert told(ask("live-modules", kernel(), tree, modules=rules)) == expected


@pytest.mark.parametrize(("entropy", "status"), [("256\n", "pass"), ("255\n", "fail"), ("", "error"), ("x", "error")])
def test_entropy(entropy: str, status: str) -> None:
    (finding,) = ask("live-entropy", kernel(entropy=entropy), min_entropy=256)
    assert str(finding.status) == status


# Units.


@pytest.mark.parametrize(
    ("state", "failed", "expected"),
    [
        ("running", "", {"systemd": "pass"}),
        ("degraded", "e2scrub_all.service loaded failed failed Online check\n", {"systemd": "pass"}),
        ("degraded", "cloud-final.service loaded failed failed x\n", {"cloud-final.service": "fail"}),
        ("starting", "cloud-init.service loaded failed failed x\n", {"cloud-init.service": "fail"}),
        ("starting", "", {"systemd": "error"}),
        ("maintenance", "", {"systemd": "fail"}),
        ("offline", "", {"Failed units of a running node": "error"}),
    ],
)
def test_units(state: str, failed: str, expected: dict[str, str]) -> None:
    answers: Answers = {"systemctl is-system-running": (1, f"{state}\n", ""), "systemctl list-units": failed}
    assert told(ask("live-units", answers, failed_units={"allowed": ["e2scrub*"]})) == expected


class BootedEngine(AnsweringEngine):
    """A node that was booted to be looked at."""

    name = "boot"


@pytest.mark.parametrize(
    ("engine", "live", "expected"),
    [
        (AnsweringEngine, {}, {"live-units": "skip"}),
        (BootedEngine, {}, {"cloud-final.service": "fail"}),
        (BootedEngine, {"failed_units": {"allowed": ["other*"]}}, {"cloud-final.service": "fail"}),
        (BootedEngine, {"failed_units": {"allowed": ["cloud-*"]}}, {"systemd": "pass"}),
    ],
)
def test_who_boots_an_image_asks_that_nothing_fails(
    engine: type[AnsweringEngine], live: dict[str, Any], expected: dict[str, str]
) -> None:
    failed = "cloud-final.service loaded failed failed x\n"
    facts = collect(engine({"systemctl is-system-running": (1, "degraded\n", ""), "systemctl list-units": failed}))
    policy = images.policy(live=live)
    report = run_checks(policy, facts, now=pki.NOW)
    assert told([one.finding for one in report.results if one.check == "live-units"]) == expected
    assert report.policy_digest == policy.digest


# Probes: what tools say is held against real servers in tests/functional/test_live.py.


def test_a_node_without_any_tool_is_skipped() -> None:
    for check, name in (("live-tls", "tls"), ("live-egress", "egress")):
        found = ask(check, {}, None, root=True, **{name: LIVE[name]})
        assert {finding.status for finding in found} == {Status.SKIP}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Name or service not known", {"mirror.internal:443": "fail", "gateway.example.org:443": "error"}),
        ("Connection refused", {"mirror.internal:443": "fail", "gateway.example.org:443": "error"}),
        ("No route to host", {"mirror.internal:443": "fail", "gateway.example.org:443": "pass"}),
    ],
)
def test_nothing_that_was_not_sent_proves_a_firewall(said: str, expected: dict[str, str]) -> None:
    egress = {"allowed": ["mirror.internal:443"], "blocked": ["gateway.example.org:443"]}
    answers: Answers = {"bash": "", "timeout": (1, "", f"bash: line 1: /dev/tcp: {said}\n")}
    assert told(ask("live-egress", answers, egress=egress)) == expected


def test_facts_of_another_policy_do_not_answer() -> None:
    policy = images.policy(live={"tls": ["registry.internal:443"], "egress": {"blocked": ["192.0.2.1:443"]}})
    engine = AnsweringEngine({"openssl": "", "bash": "", "timeout": ""})
    facts = collect(engine, asked=Asked(tls=(Address("other.internal", 443),)), only=("live_tls", "live_egress"))
    for check in ("live-tls", "live-egress"):
        (finding,) = CHECKS[check].run(Question(facts, policy, pki.NOW))
        assert finding.status is Status.ERROR


@pytest.mark.parametrize(
    ("live", "part"),
    [
        ({"tls": ["registry.internal"]}, "a port is missing"),
        ({"tls": ["not a name:443"]}, "not a name"),
        ({"egress": {"allowed": [443]}}, "a name and a port are wanted"),
        ({"clock": {"max_offset": 0}}, "greater than 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(live: dict[str, Any], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        images.policy(live=live)
