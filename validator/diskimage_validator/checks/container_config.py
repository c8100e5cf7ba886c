"""Every configuration file of the container tools is one that its tool reads: otherwise the engine does not start.

``dockerd`` stops at a ``daemon.json`` that is no JSON object or has a value of the wrong type; podman, buildah and
skopeo stop at any ``registries.conf`` or drop-in that the library refuses (TOML, the old version 1, a registry
without location, a location with a scheme, contradictions), at a ``policy.json`` with an unknown or repeated key, at
a broken ``storage.conf`` or ``containers.conf``; ``buildkitd`` at a broken ``buildkitd.toml``. A key that comes twice
in ``daemon.json`` fails as well: the first of both is silently lost. And an entry of ``certs.d`` has to be a folder.

.. rubric:: Example

With ``containers: {config: true}`` an image passes with ``{"data-root": "/srv/docker"}`` in ``daemon.json``.

It fails with ``{"data-root": "/srv/docker",}``, and with a drop-in of ``registries.conf`` that says
``location = "https://registry.internal"``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.containers.files import Fault
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "container-config"
TITLE: Final = "Configuration of container tools"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("containers",)

_EXPECTED: Final = "a file that its tool reads"


def asked(policy: Policy) -> bool:
    """Whether the policy wants the files in order."""
    return policy.rules.containers.config


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every file that is refused, and one pass for each other one."""
    facts = known(question.facts.containers)
    for fault in facts.faults:
        yield fault_finding(fault)
    for path in facts.not_folders:
        message = "is no folder: engines look for a folder for each registry, with certificates in it"
        yield Finding(path, Status.FAIL, message, "a folder", "a file", "remove it", path)
    wrong = {fault.path for fault in facts.faults}
    for file in facts.files:
        if file.path not in wrong:
            yield Finding(file.path, Status.PASS, f"{file.reader} can read it", _EXPECTED, "readable", path=file.path)
    if not facts.files and not wrong and not facts.not_folders:
        yield Finding("container tools", Status.SKIP, "the image has no configuration of container tools")


def fault_finding(fault: Fault) -> Finding:
    """Return the finding for a file: a failure if its tool refuses it, an error if we could not read it."""
    if fault.unreadable:
        return Finding(fault.path, Status.ERROR, f"could not read it: {fault.reason}", _EXPECTED, path=fault.path)
    message = f"the tools refuse this file: {fault.reason}"
    hint = "correct the file; as it is, what reads it stops with an error"
    return Finding(fault.path, Status.FAIL, message, _EXPECTED, fault.reason, hint, fault.path, fault.line)
