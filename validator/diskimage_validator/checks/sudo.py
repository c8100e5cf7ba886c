"""sudo's configuration works, gives the required rights, and gives nobody else rights without a password.

Everything is read as sudo reads it: includes in order, files in an included folder but those with a dot or a final
``~`` in their name, aliases resolved; of several rules that match the last one counts. These always fail, because sudo
complains about them and goes on without: a line that it cannot parse, a file that it refuses (not root's, or writable
by others).

``required`` lists who must be able to run every command as root, without a password unless ``nopasswd: false``.
``nopasswd`` lists the users and ``%group``s that may have any rule with NOPASSWD, or ``Defaults !authenticate``; nobody
else may.

.. rubric:: Example

With this policy::

    access:
      sudo:
        required: [{user: zuul}]
        nopasswd: [zuul]

an image passes with ``zuul ALL=(ALL) NOPASSWD: ALL`` in ``/etc/sudoers.d/zuul``.

An image fails where that file is called ``zuul.conf``, which sudo passes over; where it has mode 0666, which sudo
refuses; where a later ``zuul ALL=(ALL) ALL`` asks for the password again; or where ``%sudo`` has ``NOPASSWD`` too.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.accounts import Accounts
from diskimage_validator.facts.sudo import Sudo
from diskimage_validator.facts.sudo_rights import passwordless, root_right
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.access import SudoRule

ID: Final = "sudo"
TITLE: Final = "sudo"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("sudo", "accounts")


def asked(policy: Policy) -> bool:
    """Whether the policy asks about sudo."""
    return policy.rules.access.sudo is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield findings for the configuration as a whole, every required right and everybody who needs no password."""
    rules = question.rules.access.sudo
    sudo, accounts = known(question.facts.sudo), known(question.facts.accounts)
    if rules is None:
        return
    if sudo is None:
        hint = "install sudo"
        yield Finding("sudoers", Status.FAIL, "sudo is not configured", "/etc/sudoers", "none", hint, "/etc/sudoers")
        return
    yield from _check_files(sudo)
    for rule in rules.required:
        yield _check_required(rule, sudo, accounts)
    if rules.nopasswd is not None:
        yield from _check_passwordless(rules.nopasswd, sudo)


def _check_files(sudo: Sudo) -> Iterator[Finding]:
    expected = "files that sudo reads without complaint"
    faults = [(file.path, 0, f"sudo refuses it: {file.refused}") for file in sudo.files if file.refused]
    faults += [(problem.path, problem.line, problem.reason) for problem in sudo.problems]
    for path, line, reason in faults:
        hint = "visudo -c; chown root:root and chmod 0440 the file"
        yield Finding(path, Status.FAIL, reason, expected, "", hint, path, line)
    for problem in sudo.unreadable:
        yield Finding(problem.path, Status.ERROR, problem.reason, expected, path=problem.path)
    if not faults and not sudo.unreadable:
        message = f"files: {len(sudo.files)}, rules: {len(sudo.rules)}"
        yield Finding("sudoers", Status.PASS, message, expected, path=sudo.path)


def _check_required(rule: SudoRule, sudo: Sudo, accounts: Accounts) -> Finding:
    expected = f"ALL=(ALL) {'NOPASSWD: ' if rule.nopasswd else ''}ALL"
    user = accounts.user(rule.user)
    if user is None:
        return Finding(rule.user, Status.FAIL, "there is no such user", expected, "none", "create the user")
    right = root_right(sudo, user)
    hint = f"add '{rule.user} {expected}' to a file in /etc/sudoers.d"
    if right is None:
        message = "no rule lets this user run every command as root"
        ignored = f"; sudo passes over {', '.join(sudo.ignored)} because of the name" if sudo.ignored else ""
        return Finding(rule.user, Status.FAIL, message + ignored, expected, "none", hint, sudo.path)
    path, line = right.rule.path, right.rule.line
    if rule.nopasswd and not right.nopasswd:
        message = "the rule that counts, the last one that matches, asks for a password"
        return Finding(rule.user, Status.FAIL, message, expected, "ALL=(ALL) ALL", hint, path, line)
    return Finding(rule.user, Status.PASS, "every command as root", expected, "ALL", path=path, line=line)


def _check_passwordless(allowed: list[str], sudo: Sudo) -> Iterator[Finding]:
    expected = f"without a password: {', '.join(allowed) or 'nobody'}"
    faults = [grant for grant in passwordless(sudo) if grant.who not in allowed and grant.who not in ("root", "#0")]
    for grant in faults:
        subject, message = f"NOPASSWD {grant.who}", f"{grant.who} needs no password"
        hint = "remove the rule, or its NOPASSWD"
        yield Finding(subject, Status.FAIL, message, expected, grant.who, hint, grant.path, grant.line)
    if not faults:
        yield Finding("NOPASSWD", Status.PASS, "nobody else needs no password", expected, path=sudo.path)
