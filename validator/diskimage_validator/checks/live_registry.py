"""The running node can work with a registry, over TLS that it verifies: buildah builds and pushes, skopeo inspects.

That the CA is in the store and that the tools are installed is what other checks say of an image at rest; this one is
the proof. On the node, ``buildah build`` makes an image of one small file, ``buildah push`` brings it to
``diskimage-validator/proof`` in the registry, ``skopeo inspect`` finds it there with the digest that was pushed. The
image is deleted afterwards; a registry that does not allow that keeps it, which a finding says. On the node, nothing is
left behind. A target that does not run is skipped.

``diskimage-validator validate IMAGE --engine boot --registry-endpoint NAME:PORT=HOST:PORT`` gives a booted image such a
registry: nothing else can be reached from there.

.. rubric:: Example

With ``live: {registry: "registry.internal:5000"}`` a node passes that trusts the CA of that registry's
certificate, and reaches it.

A node fails whose CA is in the system's store, while ``certs.d/registry.internal:5000`` holds another one: ``buildah
push`` ends with "certificate signed by unknown authority".
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.running import not_running
from diskimage_validator.facts import known
from diskimage_validator.facts.live.registry import RegistryProof, Step
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "live-registry"
TITLE: Final = "Working with a registry"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("live_registry",)

_HINTS: Final = {
    "build": "see that buildah is installed and that its configuration is one it reads",
    "push": "see the CAs of the system's store, of certs.d and of registries.conf, and the firewall",
    "inspect": "see the CAs of the system's store, of certs.d and of registries.conf, and policy.json",
}


def asked(policy: Policy) -> bool:
    """Whether the policy names a registry."""
    return policy.rules.live.registry is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every step, up to the first one that fails."""
    registry = str(question.rules.live.registry)
    proof = known(question.facts.live_registry)
    if proof is None:
        yield not_running(registry)
        return
    if proof.registry != registry:
        message = "it was not asked when the facts were collected"
        yield Finding(registry, Status.ERROR, message, hint="collect the facts with the same policy")
        return
    for step in proof.steps:
        yield _finding(step, proof)


def _finding(step: Step, proof: RegistryProof) -> Finding:
    subject = f"{step.name} {proof.registry}"
    if step.name == "delete":
        return _deletion(subject, step, proof)
    expected = "exit status 0"
    if step.status:
        actual = f"exit status {step.status}" if step.status > 0 else "no end"
        message = f"{step.command.split(' ')[0]}: {step.said or actual}"
        return Finding(subject, Status.FAIL, message, expected, actual, _HINTS[step.name])
    if step.name == "inspect" and proof.inspected != proof.pushed:
        message = "the registry has another image under the name that was pushed"
        hint = "see whether a mirror in registries.conf answers for this registry"
        return Finding(subject, Status.FAIL, message, proof.pushed, proof.inspected, hint)
    message = f"done: {step.command}"
    return Finding(subject, Status.PASS, message, expected, proof.pushed if step.name != "build" else "exit status 0")


def _deletion(subject: str, step: Step, proof: RegistryProof) -> Finding:
    if step.status:
        message = f"{proof.reference} stays in the registry, which does not let it be deleted: {step.said}"
        return Finding(subject, Status.SKIP, message)
    return Finding(subject, Status.PASS, f"{proof.reference} was deleted", "nothing left", "nothing left")
