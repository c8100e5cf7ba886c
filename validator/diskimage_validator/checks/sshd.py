"""sshd would start, and its settings have the values that the policy asks for.

Settings are effective ones: ``Include`` resolved in its place, of several values the first one, OpenSSH's default where
no file says anything. A ``Match`` block that gives some users or hosts another value fails, because then the value does
not hold for everybody. ``prohibit-password`` and ``without-password`` are the same; so are ``yes`` and ``YES``.

A line that makes sshd refuse to start fails always: an unknown keyword, a value that is neither yes nor no where it has
to be, a keyword that may not follow a ``Match``. ``sshd: {}`` in the policy asks for that alone. Values of other kinds
are not judged.

Whether sshd accepts the files with keys is part of ``authorized-keys``.

.. rubric:: Example

With this policy::

    access:
      sshd:
        PermitRootLogin: no
        PasswordAuthentication: no

an image passes with both set in ``/etc/ssh/sshd_config.d/10-node.conf``, which ``/etc/ssh/sshd_config`` includes at its
top.

An image fails with ``PasswordAuthentication yes`` above that ``Include``, with neither set (the default of
PasswordAuthentication is ``yes``), or with ``PermitRootlogin maybe``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.ssh import Ssh
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "sshd"
TITLE: Final = "SSH server"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("ssh",)

_SAME: Final = {"without-password": "prohibit-password"}


def asked(policy: Policy) -> bool:
    """Whether the policy asks about sshd."""
    return policy.rules.access.sshd is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for the configuration as a whole and one for every setting."""
    wanted, ssh = question.rules.access.sshd, known(question.facts.ssh)
    if wanted is None:
        return
    if ssh is None:
        hint = "install the SSH server"
        path = "/etc/ssh/sshd_config"
        yield Finding("sshd_config", Status.FAIL, "there is no configuration of sshd", path, "none", hint, path)
        return
    expected = "a configuration that sshd starts with"
    for problem in ssh.problems:
        hint = "correct it; sshd -t says more"
        yield Finding(problem.path, Status.FAIL, problem.reason, expected, "", hint, problem.path, problem.line)
    for problem in ssh.unreadable:
        yield Finding(problem.path, Status.ERROR, problem.reason, expected, path=problem.path)
    if not ssh.problems and not ssh.unreadable:
        yield Finding("sshd_config", Status.PASS, f"settings: {len(ssh.settings)}", expected, path=ssh.path)
    for keyword, value in wanted.items():
        yield _check_setting(keyword, value, ssh)


def _check_setting(keyword: str, wanted: str, ssh: Ssh) -> Finding:
    actual, setting = ssh.value(keyword), ssh.settings.get(keyword.lower())
    path, line = (setting.path, setting.line) if setting else (ssh.path, 0)
    if actual is None:
        message = "no file sets it, and its default is not the same everywhere"
        return Finding(keyword, Status.FAIL, message, wanted, "unknown", f"set {keyword} {wanted}", path, line)
    if _plain(actual) != _plain(wanted):
        where = "" if setting else ", which is the default"
        message = f"it is {actual}{where}"
        return Finding(keyword, Status.FAIL, message, wanted, actual, f"set {keyword} {wanted}", path, line)
    for other in ssh.conditional:
        if other.keyword == keyword.lower() and _plain(other.value) != _plain(wanted):
            message = f"Match {other.match} makes it {other.value}"
            hint = "remove it from the Match block"
            return Finding(keyword, Status.FAIL, message, wanted, other.value, hint, other.path, other.line)
    return Finding(keyword, Status.PASS, f"it is {actual}", wanted, actual, path=path, line=line)


def _plain(value: str) -> str:
    words = " ".join(value.split()).lower()
    return _SAME.get(words, words)
