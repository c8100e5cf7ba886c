"""Every required command can be run: it is on PATH, a regular file, executable, and made for the image's machine.

PATH is root's: ``/usr/local/sbin``, ``/usr/local/bin``, ``/usr/sbin``, ``/usr/bin``, ``/sbin``, ``/bin``. Links, such
as those of ``/etc/alternatives``, are followed inside the image. For an ELF program the header has to name the image's
architecture; for a script the interpreter has to be there.

This check looks at files and not at packages: a program that was deleted by hand is still installed for the package
manager, and one that was copied in by hand never was.

.. rubric:: Example

With this policy::

    commands:
      required:
        - docker | podman
        - skopeo

an image with ``/usr/bin/podman`` and ``/usr/bin/skopeo``, both executable x86-64 programs on an x86-64 image, passes.

An image fails where ``/usr/bin/skopeo`` is missing, is a link that leads nowhere, has no execute bit, is empty, or is
an aarch64 program.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.architecture import Architecture
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.facts.commands import PATH, Commands, Program
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "commands-required"
TITLE: Final = "Required commands"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("commands", "architecture")

_STATES: Final = {
    "dangling": "{path} is a link to {real}, which is not there",
    "not-a-file": "{path} is no regular file",
    "not-executable": "{path} is not executable",
    "empty": "{path} is an empty file",
}


def asked(policy: Policy) -> bool:
    """Whether the policy requires commands."""
    return bool(policy.rules.commands.required)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every required command."""
    commands = known(question.facts.commands)
    architecture = known(question.facts.architecture)
    for names in question.rules.commands.required:
        yield _check_command(names, commands, architecture)


def _check_command(names: tuple[str, ...], commands: Commands, architecture: Architecture) -> Finding:
    subject = " | ".join(names)
    faults: list[str] = []
    path = ""
    for name in names:
        if name not in commands.programs:
            raise FactUnavailableError(
                f"nobody looked for the command '{name}' when the facts were collected",
                "collect the facts with the same policy",
            )
        program = commands.programs[name]
        if program is None:
            continue
        fault = _fault(program, architecture)
        path = path or program.path
        if not fault:
            what = program.machine or (f"script for {program.interpreter}" if program.interpreter else program.kind)
            return Finding(
                subject, Status.PASS, f"{program.path} can be run", "executable on PATH", what, path=program.path
            )
        faults.append(fault)
    missing = f"not on PATH ({':'.join(PATH)})"
    return Finding(
        subject,
        Status.FAIL,
        "; ".join(faults) or f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} {missing}",
        "executable on PATH",
        "; ".join(faults) or "not found",
        "" if faults else "the package may be installed and its file gone: see what packages-required says",
        path,
    )


def _fault(program: Program, architecture: Architecture) -> str:
    """Return why ``program`` cannot be run on the image's machine; empty if it can."""
    if program.state != "ok":
        return _STATES[program.state].format(path=program.path, real=program.real)
    if program.kind == "script" and not program.interpreter_found:
        return f"{program.path} is a script, and its interpreter '{program.interpreter}' is not there"
    if program.kind == "other":
        return f"{program.path} is neither an ELF program nor a script with an interpreter line"
    if program.machine and program.machine != architecture.machine:
        source = architecture.evidence[0].source
        return f"{program.path} is made for {program.machine}, the image for {architecture.machine} (says {source})"
    return ""
