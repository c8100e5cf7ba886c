"""No private key is in the usual places, whatever its file is called: keys are recognised by their content.

A key in an image belongs to everybody who can read the image, and is the same on every node. Whether it is encrypted is
told apart, but an encrypted key fails too: who has the image has all the time he needs to try passphrases.

Every file below ``/etc`` and in ``.ssh``, ``.gnupg``, ``.docker``, ``.kube`` of a home is read. In the rest of the
homes, in ``/opt``, ``/srv``, ``/usr/local``, ``/var/lib``, ``/var/www``, ``/var/backups``, ``/boot``, ``/tmp`` and
the like files are read that are called as keys and certificates are: ``*.pem``, ``*.key``, ``id_*``, ``*_rsa`` and so
on. Of each file the first 256 KiB are read. Recognised are PKCS#8, RSA, DSA and EC keys in PEM form, PKCS#8 in binary
form, OpenSSH, PuTTY, ssh.com, OpenPGP and GnuPG. Not looked into are keystores (PKCS#12, Java), installed Python and
Node.js libraries, whose tests bring keys that open nothing, and the storage of container engines.

SSH host keys are left to ``hygiene-ssh-host-keys`` if the policy asks for that, too.

.. rubric:: Example

With this policy::

    hygiene:
      private_keys: true
      private_keys_allowed:
        - /etc/pki/test/*.key

an image passes whose only private key is ``/etc/pki/test/demo.key``.

An image fails with ``/root/.ssh/id_ed25519``, or with ``/etc/ssl/private/ssl-cert-snakeoil.key``, which the package
ssl-cert made during the build and which every node would share.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import could_not_read
from diskimage_validator.facts import known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.facts.secrets import KeyFile
from diskimage_validator.globs import matches
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-private-keys"
TITLE: Final = "Private keys"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("secrets",)

_EXPECTED: Final = "no private key"
_HOST_KEY: Final = "/etc/ssh/ssh_host_*key*"
_SNAKEOIL: Final = "/etc/ssl/private/ssl-cert-snakeoil.key"
_PROTECTION: Final = {True: "encrypted", False: "not encrypted", None: "encryption unknown"}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.private_keys


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every private key that is not allowed, and one pass if there is none."""
    secrets = known(question.facts.secrets)
    rules = question.rules.hygiene
    if not secrets.files:
        raise FactUnavailableError("no file was found in the places where private keys are looked for")
    yield from could_not_read(secrets.problems, _EXPECTED)
    keys = [key for key in secrets.keys if not (rules.ssh_host_keys and fnmatchcase(key.path, _HOST_KEY))]
    allowed = {key.path for key in keys if matches(key.path, rules.private_keys_allowed)}
    yield from (_failure(key) for key in keys if key.path not in allowed)
    if all(key.path in allowed for key in keys) and not secrets.problems:
        message = f"none in {secrets.files} files" + (
            f", but for {len(allowed)} that the policy allows" if allowed else ""
        )
        yield Finding("private keys", Status.PASS, message, _EXPECTED, "none")


def _failure(key: KeyFile) -> Finding:
    actual = f"{key.form}, {_PROTECTION[key.encrypted]}"
    if key.path == _SNAKEOIL:
        message = "the key that the package ssl-cert made during the build: every node would have this same one"
        hint = "remove it, and run 'make-ssl-cert generate-default-snakeoil' on the node's first boot"
    else:
        message = f"a private key ({actual})"
        hint = "remove it from the image; if it was in use, replace it, since everybody with the image has it"
    return Finding(key.path, Status.FAIL, message, _EXPECTED, actual, hint, key.path, key.line)
