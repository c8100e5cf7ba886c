"""cloud-init remembers nothing: the image was never a machine, or was cleaned after it was one.

What cloud-init keeps in ``/var/lib/cloud`` of the machine that the image was taken from can keep it from configuring
the node: its modules "once per instance" have run, its data source is cached. User data may hold secrets, too. A seed
in ``/var/lib/cloud/seed`` makes every node read that instead of the cloud's own data. ``/run/cloud-init`` in an
image, logs and a network configuration that cloud-init wrote show that it ran.

.. rubric:: Example

With this policy::

    hygiene:
      cloud_init: true

an image passes that has no ``/var/lib/cloud``, or empty folders there.

An image fails with ``/var/lib/cloud/instances/i-0001/user-data.txt``, or with ``/etc/netplan/50-cloud-init.yaml``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import not_all_listed
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-cloud-init"
TITLE: Final = "cloud-init's data"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("cloud_init",)

_EXPECTED: Final = "no data of an instance"
_MESSAGES: Final = {
    "instance": "cloud-init's memory of a machine that it has configured",
    "seed": "every node would take this for the data of its cloud",
    "runtime": "what cloud-init noted while it ran",
    "log": "cloud-init's log of the machine that the image was taken from",
    "network": "cloud-init wrote this for the network of one machine",
}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.cloud_init


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every trace, or one pass."""
    found = known(question.facts.cloud_init)
    for trace in found.traces:
        hint = "run 'cloud-init clean --logs --seed' at the end of the build, or remove it"
        yield Finding(trace.path, Status.FAIL, _MESSAGES[trace.kind], _EXPECTED, trace.kind, hint, trace.path)
    yield from not_all_listed("cloud-init", len(found.traces), found.count, _EXPECTED)
    if not found.count:
        yield Finding("cloud-init", Status.PASS, "it remembers no instance", _EXPECTED, "none")
