"""Only keys that the policy knows open the image, they are strong, and sshd will accept their files.

The files are those that sshd's ``AuthorizedKeysFile`` leads to, for every user of ``/etc/passwd``. ``users`` lists who
may have keys, ``fingerprints`` which keys may be there (``SHA256:...``, as ``ssh-keygen -l`` prints it); either left
out, all may. A key is weak if it is of the kind DSA, or RSA with less than ``min_rsa_bits`` (2048 unless given).

A file fails too that StrictModes makes sshd refuse: it, or a folder above it up to the user's home, belongs to somebody
else or may be written by others. Its owner would stand before a closed door. So does a line that sshd cannot parse.

.. rubric:: Example

With this policy::

    access:
      authorized_keys:
        users: [zuul]

an image passes whose only keys are in ``/home/zuul/.ssh/authorized_keys``, mode 0600, in a folder of mode 0700.

An image fails with a developer's key left in ``/root/.ssh/authorized_keys``, with a 1024-bit RSA key, or with
``/home/zuul`` writable for its group.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.authorized_keys import AuthorizedKey
from diskimage_validator.facts.ssh import KeyFile
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.access import KeyRules

ID: Final = "authorized-keys"
TITLE: Final = "Authorized SSH keys"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("ssh",)


def asked(policy: Policy) -> bool:
    """Whether the policy asks about SSH keys."""
    return policy.rules.access.authorized_keys is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every key and every fault of a file."""
    rules, ssh = question.rules.access.authorized_keys, known(question.facts.ssh)
    if rules is None:
        return
    if ssh is None:
        yield Finding("authorized keys", Status.SKIP, "the image has no sshd_config")
        return
    for problem in ssh.unreadable:  # a file of sshd's configuration may name other places
        yield Finding(problem.path, Status.ERROR, problem.reason, path=problem.path)
    for file in ssh.key_files:
        yield from _check_file(file, rules)
    if not any(file.keys for file in ssh.key_files):
        yield Finding("authorized keys", Status.PASS, "there is none", path=ssh.path)


def _check_file(file: KeyFile, rules: KeyRules) -> Iterator[Finding]:
    if file.unreadable:
        yield Finding(file.path, Status.ERROR, file.unreadable, path=file.path)
    if file.refused:
        hint = "chown it to the user and take write permission from group and others"
        message = f"sshd refuses it: {file.refused}"
        yield Finding(file.path, Status.FAIL, message, "accepted by StrictModes", file.refused, hint, file.path)
    for line in file.bad_lines:
        message = f"sshd passes over a line: {line.reason}"
        yield Finding(file.path, Status.FAIL, message, "keys", line.reason, "correct it", file.path, line.line)
    for key in file.keys:
        yield _check_key(key, file, rules)


def _check_key(key: AuthorizedKey, file: KeyFile, rules: KeyRules) -> Finding:
    subject = f"{file.user} {key.fingerprint}"
    actual = " ".join(part for part in (key.type, f"{key.bits} bits" if key.bits else "", key.comment) if part)
    expected = (
        f"keys of {', '.join(rules.users) or 'nobody'} only" if rules.users is not None else "a known, strong key"
    )
    fault = _fault(key, file, rules)
    if fault:
        return Finding(subject, Status.FAIL, fault, expected, actual, "remove the key", file.path, key.line)
    return Finding(subject, Status.PASS, "the key is allowed", expected, actual, path=file.path, line=key.line)


def _fault(key: AuthorizedKey, file: KeyFile, rules: KeyRules) -> str:
    if rules.users is not None and file.user not in rules.users:
        return f"{file.user} must not have keys"
    if rules.fingerprints is not None and key.fingerprint not in rules.fingerprints:
        return "the policy does not know this key"
    if key.type.startswith("ssh-dss"):
        return "DSA keys are weak, and sshd refuses them"
    if key.type == "ssh-rsa" and key.bits < rules.min_rsa_bits:
        return f"an RSA key of {key.bits} bits is weak"
    return ""
