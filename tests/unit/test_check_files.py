import hashlib
from pathlib import Path
from typing import Any

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import PolicyError, ValidatorError
from diskimage_validator.facts import collect
from diskimage_validator.model import Finding, Status
from diskimage_validator.policy import parse_policy
from diskimage_validator.policy_model import Policy
from tests.support import images, pki
from tests.support.memory_engine import Broken, Entry, File, Link, MemoryEngine

ACCOUNTS = {"/etc/passwd": "root:x:0:0::/root:/bin/sh\n", "/etc/group": "root:x:0:\nwheel:x:0:\n"}


def ask(tree: dict[str, Entry], policy: Policy) -> list[Finding]:
    rules = policy.rules.files
    asked = {*rules.absent, *(rule.path for rule in rules.required)}
    with MemoryEngine(tree | ACCOUNTS) as engine:
        facts = collect(engine, files=asked, only=("files",))
    return list(CHECKS["files"].run(Question(facts, policy, pki.NOW)))


def require(tree: dict[str, Entry], **rule: Any) -> Finding:
    (finding,) = ask(tree, images.policy(files={"required": [{"path": "/opt/x", **rule}]}))
    assert finding.subject == "/opt/x"
    return finding


def absent(tree: dict[str, Entry], *patterns: str) -> dict[str, Status]:
    return {found.subject: found.status for found in ask(tree, images.policy(files={"absent": list(patterns)}))}


DIGEST = hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"sha256": DIGEST},
        {"mode": "0640"},
        {"owner": "root"},
        {"owner": "0"},
        {"owner": "root:root"},
        {"owner": "0:0"},
        {"sha256": DIGEST, "mode": "0640", "owner": "root"},
    ],
)
def test_a_file_as_it_is_wanted_passes(tree: dict[str, Entry], rule: dict[str, Any]) -> None:
    tree["/opt/x"] = File(b"x", 0o640)
    assert require(tree, **rule).status is Status.PASS


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"sha256": "0" * 64}, f"its sha256 is {DIGEST}"),
        ({"mode": "0600"}, "its mode is 0640"),
        ({"owner": "zuul"}, "its owner is root:root"),
        ({"owner": "root:wheel"}, "its owner is root:root"),
        ({"link": "/y"}, "it is no link"),
        ({"mode": "0600", "owner": "zuul"}, "its mode is 0640; its owner is root:root"),
    ],
)
def test_each_difference_fails(tree: dict[str, Entry], rule: dict[str, Any], said: str) -> None:
    tree["/opt/x"] = File(b"x", 0o640)
    finding = require(tree, **rule)
    assert (finding.status, finding.message) == (Status.FAIL, said)


def test_what_is_not_there_fails(tree: dict[str, Entry]) -> None:
    assert (require(tree).status, require(tree).message) == (Status.FAIL, "it is not there")


def test_links_are_followed_inside_the_image(tree: dict[str, Entry]) -> None:
    tree["/opt/x"], tree["/opt/y"] = Link("y"), b"x"
    assert require(tree, sha256=DIGEST, link="y").status is Status.PASS
    assert require(tree, link="/opt/y").message == "it is a link to y"


def test_a_link_that_leads_nowhere(tree: dict[str, Entry]) -> None:
    tree["/opt/x"] = Link("y")
    assert require(tree, link="y").status is Status.PASS
    assert require(tree).message == "it is a link to y, which leads nowhere"
    assert require(tree, link="y", mode="0644").status is Status.FAIL


def test_a_folder_has_no_digest(tree: dict[str, Entry]) -> None:
    tree["/opt/x/y"] = ""
    assert require(tree, mode="0755").status is Status.PASS
    assert require(tree, sha256=DIGEST).message == "it is no regular file"


def test_what_cannot_be_read_could_not_tell(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    tree["/opt/x"] = Broken()
    assert require(tree).status is Status.ERROR
    tree["/opt/x"] = Link("x")
    assert require(tree).status is Status.ERROR
    monkeypatch.setattr("diskimage_validator.facts.files.MAX_HASHED", 1)
    tree["/opt/x"] = b"xx"
    assert require(tree).status is Status.PASS
    assert require(tree, sha256=DIGEST).status is Status.ERROR


def test_a_file_of_several_chunks_has_one_digest(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.files.CHUNK", 10)
    tree["/opt/x"] = b"0123456789" * 3 + b"x"
    assert require(tree, sha256=hashlib.sha256(b"0123456789" * 3 + b"x").hexdigest()).status is Status.PASS


def test_absent_paths_and_patterns(tree: dict[str, Entry]) -> None:
    tree["/usr/local/bin/package-installs"] = tree["/usr/local/bin/package-installs-v2"] = "x"
    tree["/opt/link"] = Link("/nowhere")
    assert absent(tree, "/usr/local/bin/package-*", "/opt/link", "/opt/other", "/srv/**") == {
        "/usr/local/bin/package-installs": Status.FAIL,
        "/usr/local/bin/package-installs-v2": Status.FAIL,
        "/opt/link": Status.FAIL,
        "/opt/other": Status.PASS,
        "/srv/**": Status.PASS,
    }


def test_a_flood_of_matches_is_cut(tree: dict[str, Entry]) -> None:
    tree |= {f"/srv/{number}": "x" for number in range(1100)}
    assert sum(status is Status.FAIL for status in absent(tree, "/srv/*").values()) == 1001


def test_an_absent_path_that_cannot_be_told(tree: dict[str, Entry]) -> None:
    tree["/opt/loop"] = Link("loop")
    assert absent(tree, "/opt/loop/x") == {"/opt/loop/x": Status.ERROR}


def test_hostile_names_are_escaped(tree: dict[str, Entry]) -> None:
    tree["/opt/\udcff"] = "x"
    assert absent(tree, "/opt/*") == {"/opt/\\xff": Status.FAIL}


def test_facts_of_another_policy_could_not_tell(tree: dict[str, Entry]) -> None:
    policy = images.policy(files={"absent": ["/opt/x"]})
    with MemoryEngine(tree) as engine:
        facts = collect(engine)
    with pytest.raises(ValidatorError, match="nobody looked for /opt/x"):
        list(CHECKS["files"].run(Question(facts, policy, pki.NOW)))


@pytest.mark.parametrize(
    "rule",
    [
        "{path: opt/x}",
        '{path: "/opt/*"}',
        '{path: /x, mode: "644"}',
        "{path: /x, mode: 0644}",
        '{path: /x, owner: "a:b:c"}',
    ],
)
def test_the_policy_is_strict(rule: str) -> None:
    with pytest.raises(PolicyError):
        parse_policy(f"version: 1\nname: x\nfiles:\n  required:\n  - {rule}\n", "x.yaml", Path())


def test_it_has_to_be_asked_for() -> None:
    assert not CHECKS["files"].asked(images.policy())
