"""The image has nothing else that only one machine may have: random seeds, storage names, secrets made on first boot.

Two nodes with one iSCSI initiator name may be given each other's volumes; "Do NOT duplicate iSCSI InitiatorNames"
says the file itself. Two nodes with one random seed start from the same entropy. systemd's credential secret decrypts
what was encrypted for the other.

Looked for are the random seeds of systemd and of its boot loader, systemd's ``credential.secret``, NetworkManager's
``secret_key``, ``InitiatorName`` in ``/etc/iscsi/initiatorname.iscsi`` (``GenerateName=yes`` is clean: the daemon
makes a name on the node), ``/etc/nvme/hostnqn`` and ``hostid``, and ``/etc/hostid``.

.. rubric:: Example

With this policy::

    hygiene:
      identities: true

an image passes whose ``/etc/iscsi/initiatorname.iscsi`` says ``GenerateName=yes``.

An image fails whose file says ``InitiatorName=iqn.1993-08.org.debian:01:f3a9f2387045``, because the package made a name
during the build, or which has ``/var/lib/systemd/random-seed``, because it was booted once.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import could_not_read
from diskimage_validator.facts import known
from diskimage_validator.facts.identity import INITIATOR_NAME, MACHINE_IDS
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-identities"
TITLE: Final = "Identities of a single machine"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("identity",)

_EXPECTED: Final = "nothing that only one machine may have"


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.identities


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every such file, or one pass."""
    identity = known(question.facts.identity)
    problems = [problem for problem in identity.problems if problem.path not in MACHINE_IDS]
    yield from could_not_read(problems, _EXPECTED)
    for seed in identity.seeds:
        named = seed.path == INITIATOR_NAME
        hint = f"write 'GenerateName=yes' into {seed.path}" if named else "remove it at the end of the build"
        message = f"every node would have this same {seed.what}"
        yield Finding(seed.path, Status.FAIL, message, _EXPECTED, seed.what, hint, seed.path)
    if not identity.seeds and not problems:
        yield Finding("identities", Status.PASS, "there is none", _EXPECTED, "none")
