"""Zuul's roles can edit the configuration of container tools: what is baked in does not break them, or hide their work.

``use-buildset-registry`` reads the ``prefix`` of *every* table of ``/etc/containers/registries.conf`` and fails at a
table without one; it writes the buildset registry's mirror into that file, so a table of the same prefix in a drop-in
hides it. It, ``ensure-docker`` and ``use-docker-mirror`` read and rewrite ``/etc/docker/daemon.json``, which has to
be a JSON object; and certificates go into ``certs.d``, which has to be a folder.

.. rubric:: Example

With ``containers: {zuul_roles: true}`` an image passes whose ``registries.conf`` says ``prefix = "example.org"`` and
``location = "registry.internal/example"``.

It fails where a table has only ``location``, and where ``registries.conf.d/50-site.conf`` has a table at all.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.container_config import fault_finding
from diskimage_validator.facts import known
from diskimage_validator.facts.containers.docker import DAEMON
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "container-zuul-roles"
TITLE: Final = "Container configuration for Zuul's roles"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("containers",)

REGISTRIES_CONF: Final = "/etc/containers/registries.conf"


def asked(policy: Policy) -> bool:
    """Whether the policy wants Zuul's roles to work."""
    return policy.rules.containers.zuul_roles


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for everything in the way of a role, or one pass."""
    facts = known(question.facts.containers)
    wrong = list(_defects(question))
    yield from wrong
    if not wrong:
        tables = len(facts.registries.tables)
        message = f"daemon.json, certs.d and registries.conf can be edited; tables of registries: {tables}"
        yield Finding("Zuul's roles", Status.PASS, message, "files that the roles can edit", "as expected")


def _defects(question: Question) -> Iterator[Finding]:
    facts = known(question.facts.containers)
    for fault in facts.faults_of(DAEMON, REGISTRIES_CONF):
        yield fault_finding(fault)
    for table in facts.registries.tables:
        subject = f"{table.path}: {table.prefix}"
        if table.path == REGISTRIES_CONF and not table.has_prefix:
            message = "use-buildset-registry reads the prefix of every table, and this one has none"
            hint = f'add prefix = "{table.prefix}"'
            yield Finding(subject, Status.FAIL, message, "a prefix", "none", hint, table.path, table.line)
        elif table.path != REGISTRIES_CONF:
            message = "a table in a drop-in hides the mirror that use-buildset-registry writes into registries.conf"
            hint = f"move the table to {REGISTRIES_CONF}"
            yield Finding(subject, Status.FAIL, message, REGISTRIES_CONF, table.path, hint, table.path, table.line)
    for path in facts.not_folders:
        message = "the roles put certificates below it, and it is no folder"
        yield Finding(path, Status.FAIL, message, "a folder", "a file", "remove it", path)
