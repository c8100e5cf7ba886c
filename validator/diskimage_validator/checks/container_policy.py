"""policy.json asks for what the policy wants: which images podman, buildah and skopeo may use at all.

``signatures.default`` is what has to hold for an image that no scope covers; ``signatures.scopes`` names registries (or
namespaces or repositories in them) and what has to hold there. Scopes are those of the transport ``docker``, and a
scope without an entry of its own gets that of the nearest namespace above it, as in the library. Public keys that
``policy.json`` names have to be in the image.

.. rubric:: Example

With this policy::

    containers:
      signatures:
        default: reject
        scopes: {registry.internal: signedBy}

an image passes whose ``policy.json`` has ``"default": [{"type": "reject"}]`` and, for ``docker`` and
``registry.internal``, a ``signedBy`` whose key is in the image.

It fails where the default is ``insecureAcceptAnything``, where the file is not there (then nothing can be pulled), and
where the key's file is missing.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.container_config import fault_finding
from diskimage_validator.facts import known
from diskimage_validator.facts.containers.signatures import PATH, Scope, Signatures
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.containers import SignatureRules

ID: Final = "container-policy"
TITLE: Final = "Signatures of images"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("containers",)


def asked(policy: Policy) -> bool:
    """Whether the policy says anything about signatures of images."""
    return policy.rules.containers.signatures != SignatureRules()


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for the default, for each scope, and for each key that is missing."""
    facts = known(question.facts.containers)
    rules = question.rules.containers.signatures
    faults = facts.faults_of(PATH)
    for fault in faults:
        yield fault_finding(fault)
    signatures = facts.signatures
    if signatures is None:
        if not faults:
            message = "there is no policy.json: without it no image can be pulled"
            yield Finding(PATH, Status.FAIL, message, "a policy.json", "none", "install containers-common", PATH)
        return
    if rules.default is not None:
        yield _finding("default", signatures.default, rules.default, signatures)
    for scope, wanted in rules.scopes.items():
        yield _finding(scope, effective(signatures, scope), wanted, signatures)
    for key in signatures.missing_keys:
        message = f"policy.json verifies with the key {key}, which is not in the image"
        yield Finding(key, Status.FAIL, message, "a public key", "no such file", "add the key", signatures.path)


def effective(signatures: Signatures, scope: str) -> Scope:
    """Return the entry that holds for a scope of registries: its own, or the nearest one above it."""
    name = scope
    while name:
        if found := signatures.find("docker", name):
            return found
        name = name.rpartition("/")[0]
    host = scope.partition("/")[0]
    while "." in host:  # *.example.org covers the hosts below it
        host = host.partition(".")[2]
        if found := signatures.find("docker", f"*.{host}"):
            return found
    return signatures.find("docker", "") or signatures.default


def _finding(subject: str, scope: Scope, wanted: str, signatures: Signatures) -> Finding:
    actual = " and ".join(scope.types)
    ok = wanted in scope.types
    where = "" if str(scope) == subject else f" (from {scope})"
    message = f"requires {actual}{where}" + ("" if ok else f", but {wanted} is asked for")
    status = Status.PASS if ok else Status.FAIL
    hint = "" if ok else f'set the type "{wanted}" there'
    return Finding(subject, status, message, wanted, actual, hint, signatures.path, scope.line)
