"""None of the forbidden commands is on PATH.

A node that runs jobs needs no compiler, no packet sniffer and no ``telnet``; what is not there cannot be misused, and
nobody has to patch it. Names may be patterns, as in fnmatch(3): ``gcc-[0-9]*``.

PATH is root's, as for ``commands-required``. A file without execute bit and a link that leads nowhere are no commands.
Packages are not looked at: ``packages-forbidden`` does that.

.. rubric:: Example

With this policy::

    commands:
      forbidden:
        - gcc
        - gcc-[0-9]*
        - telnet

an image without these programs passes, and so does one with a telnet client in ``/opt/tools/bin``.

An image with ``/usr/bin/gcc-12`` fails.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.facts.commands import Commands
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "commands-forbidden"
TITLE: Final = "Forbidden commands"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("commands",)


def asked(policy: Policy) -> bool:
    """Whether the policy forbids commands."""
    return bool(policy.rules.commands.forbidden)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every forbidden command that is there, or one for every pattern that matches none."""
    commands = known(question.facts.commands)
    for pattern in question.rules.commands.forbidden:
        found = list(_check_pattern(pattern, commands))
        yield from found or [Finding(pattern, Status.PASS, "not on PATH", "not on PATH", "not on PATH")]


def _check_pattern(pattern: str, commands: Commands) -> Iterator[Finding]:
    for name in commands.names:
        if name != pattern and not fnmatchcase(name, pattern):
            continue
        if name not in commands.programs:
            raise FactUnavailableError(
                f"nobody looked at the command '{name}' when the facts were collected",
                "collect the facts with the same policy",
            )
        program = commands.programs[name]
        if program and program.state in ("ok", "empty"):
            message = f"{program.path} is there" + (f", and forbidden by '{pattern}'" if name != pattern else "")
            hint = "remove its package from the image, or correct the policy"
            yield Finding(name, Status.FAIL, message, "not on PATH", program.path, hint, program.path)
