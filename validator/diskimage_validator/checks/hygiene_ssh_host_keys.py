"""The image has no SSH host key: every node makes its own on first boot.

A key in the image is the same on every node that starts from it. Whoever has read one node, or the image, can pose as
any other of them to whoever connects by SSH. The public halves (``*.pub``) and certificates count too: they show that
keys were made, and sshd takes a node with one of them missing for configured.

Looked for are ``/etc/ssh/ssh_host_*key*`` and Dropbear's ``/etc/dropbear/dropbear_*_host_key*``.

.. rubric:: Example

With this policy::

    hygiene:
      ssh_host_keys: true

an image passes whose ``/etc/ssh`` has the configuration only.

An image fails that has ``/etc/ssh/ssh_host_ed25519_key``, because a package's script made it during the build.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-ssh-host-keys"
TITLE: Final = "SSH host keys"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("identity",)

_EXPECTED: Final = "no SSH host key"
_HINT: Final = "remove the keys at the end of the build; cloud-init or sshd's key generation makes new ones on the node"


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.ssh_host_keys


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every key, or one pass."""
    keys = known(question.facts.identity).host_keys
    for path in keys:
        yield Finding(path, Status.FAIL, "every node would have this same host key", _EXPECTED, path, _HINT, path)
    if not keys:
        yield Finding("SSH host keys", Status.PASS, "there is none", _EXPECTED, "none")
