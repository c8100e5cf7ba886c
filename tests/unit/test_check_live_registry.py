import json
from dataclasses import replace
from pathlib import Path

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.endpoints import Address
from diskimage_validator.errors import PolicyError, ValidatorError
from diskimage_validator.facts import Unreadable, dump, replay
from diskimage_validator.facts.live.registry import RegistryProof, Step, read_live_registry
from diskimage_validator.model import Finding, Status
from diskimage_validator.policy import load_policy, parse_policy
from tests.support import images, pki
from tests.support.asking import ask, facts_of, only
from tests.support.memory_engine import Entry, MemoryEngine

CHECK = "live-registry"
REGISTRY = "registry.internal:5000"
REFERENCE = f"{REGISTRY}/diskimage-validator/proof:1"
DIGEST = "sha256:" + "ab" * 32
STEPS = tuple(Step(name, f"{name} {REFERENCE}", 0, "") for name in ("build", "push", "inspect", "delete"))
PROOF = RegistryProof(REGISTRY, REFERENCE, STEPS, DIGEST, DIGEST)
POLICY = images.policy(live={"registry": REGISTRY})


def findings(proof: RegistryProof | Unreadable | None) -> list[Finding]:
    facts = replace(facts_of({}), live_registry=proof)
    return list(CHECKS[CHECK].run(Question(facts, POLICY, pki.NOW)))


def test_a_node_that_works_with_the_registry_passes() -> None:
    assert [(one.subject.split()[0], one.status) for one in findings(PROOF)] == [
        ("build", Status.PASS),
        ("push", Status.PASS),
        ("inspect", Status.PASS),
        ("delete", Status.PASS),
    ]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_step_that_fails_is_named_with_its_last_words(count: int) -> None:
    said = "x509: certificate signed by unknown authority"
    steps = (*STEPS[: count - 1], replace(STEPS[count - 1], status=125, said=said))
    found = findings(RegistryProof(REGISTRY, REFERENCE, steps))
    assert [one.status for one in found[:-1]] == [Status.PASS] * (count - 1)
    assert found[-1].status is Status.FAIL
    assert found[-1].message.endswith(said)
    assert found[-1].hint


def test_another_image_under_that_name_fails() -> None:
    found = findings(replace(PROOF, inspected="sha256:" + "cd" * 32))
    assert [one.status for one in found] == [Status.PASS, Status.PASS, Status.FAIL, Status.PASS]
    assert "another image" in found[2].message


def test_a_registry_that_keeps_the_image_is_no_failure_but_named() -> None:
    found = findings(replace(PROOF, steps=(*STEPS[:3], replace(STEPS[3], status=1, said="unsupported"))))[-1]
    assert found.status is Status.SKIP
    assert f"{REFERENCE} stays in the registry" in found.message


def test_what_could_not_be_tried_is_no_pass() -> None:
    with pytest.raises(ValidatorError, match="no temporary folder"):
        findings(Unreadable("no temporary folder on the node", "", "FactError"))


def test_a_target_that_does_not_run_is_skipped(tree: dict[str, Entry]) -> None:
    found = only(ask(CHECK, tree, POLICY))
    assert found.status is Status.SKIP
    assert found.message == "only a running system can tell"


def test_facts_of_another_question_are_no_answer() -> None:
    for proof in (RegistryProof(""), replace(PROOF, registry="other.internal:5000")):
        found = only(findings(proof))
        assert found.status is Status.ERROR
        assert "not asked" in found.message


def test_without_a_registry_nothing_is_tried() -> None:
    engine = MemoryEngine({})
    engine.live = True
    assert read_live_registry(engine, None) == RegistryProof("")


def test_the_proof_survives_its_json() -> None:
    facts = replace(facts_of({}), live_registry=PROOF)
    assert replay(json.dumps(dump(facts))).live_registry == PROOF


@pytest.mark.parametrize("name", ["registry.internal", "https://registry.internal:5000", ":5000", "a b:1"])
def test_a_registry_is_a_name_and_a_port(name: str) -> None:
    text = f'version: 1\nname: x\nlive: {{registry: "{name}"}}\n'
    with pytest.raises(PolicyError, match=r"live\.registry"):
        parse_policy(text, "x.yaml", Path())


def test_the_command_line_takes_the_policy_s_place_and_changes_its_digest() -> None:
    plain, asked = (
        load_policy("container-node"),
        load_policy("container-node", live_registry=Address("registry.internal", 5000)),
    )
    assert str(asked.rules.live.registry) == REGISTRY
    assert plain.rules.live.registry is None
    assert plain.digest != asked.digest
