"""No private key lies in a store of CAs or beside it.

The stores are there for everybody to read. Whoever copies ``ca.pem`` with its key into the anchors' folder gives the CA
away to every user of the node, and to everybody who has the image. Looked at are all files of the stores, the folders
for local anchors, ``certs.d``, and Java's keystores: PEM and DER keys, encrypted ones too, and PKCS #12.

With ``certificates.private_keys: none`` every such key fails. ``client`` allows ``certs.d/HOST/*.key``, by which the
node shows itself to a registry, if its mode lets nobody but its owner read it. Findings name the file, never the key.

.. rubric:: Example

With ``private_keys: client`` an image passes that has ``/etc/docker/certs.d/registry.internal:5000/client.key`` with
mode 0600.

An image fails where that file has mode 0644, and where ``/usr/local/share/ca-certificates/ca.crt`` holds a key as well.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.ca_stores import PrivateKey
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "ca-private-keys"
TITLE: Final = "Private keys beside CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("ca_stores",)


def asked(policy: Policy) -> bool:
    """Whether the policy says anything about private keys."""
    return policy.rules.certificates.private_keys is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every private key and every file that could not be read; one PASS if there is none."""
    stores = known(question.facts.ca_stores)
    clients = question.rules.certificates.private_keys == "client"
    findings = [_check_key(key, clients_allowed=clients) for key in stores.private_keys]
    findings += [
        Finding(unread.path, Status.ERROR, unread.reason, "no private key", "unreadable", path=unread.path)
        for unread in stores.unread
    ]
    yield from findings
    if not findings:
        yield Finding("private keys", Status.PASS, "there is none in or beside the stores of CAs", "none", "none")


def _check_key(key: PrivateKey, *, clients_allowed: bool) -> Finding:
    expected, actual = "no private key", f"{key.kind}, mode {key.mode:04o}"
    if key.client and clients_allowed:
        expected = "a client key with mode 0600 at most"
        if not key.mode & 0o177:
            return Finding(
                key.path, Status.PASS, "a client key that only its owner may read", expected, actual, "", key.path
            )
        message, hint = "a client key that others may read, too", f"chmod 0600 {key.path}"
    elif key.client:
        message, hint = "the private key of a client", "remove it, or allow it with 'private_keys: client'"
    else:
        message, hint = "a private key lies among the CAs", "remove it from the image, and consider it known to others"
    return Finding(key.path, Status.FAIL, message, expected, actual, hint, key.path, key.line)
