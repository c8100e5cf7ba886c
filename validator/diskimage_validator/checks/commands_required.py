"""Every required command can be run: on PATH, executable, made for the image's machine, with all its libraries there.

PATH is root's: ``/usr/local/sbin``, ``/usr/local/bin``, ``/usr/sbin``, ``/usr/bin``, ``/sbin``, ``/bin``. Links, such
as those of ``/etc/alternatives``, are followed inside the image. For an ELF program the header has to name the image's
architecture; for a script the interpreter has to be there, and with ``#!/usr/bin/env python3`` also ``python3``.

The dynamic loader and every shared library that the program, or the interpreter, needs must be in the image, directly
or through other libraries. The files are parsed, and the search is the loader's own: run paths, the cache that
``ldconfig`` made, default folders; nothing of the image is executed. What a program opens while it runs (plug-ins) and
the versions of symbols are not looked at.

This check looks at files and not at packages: a program that was deleted by hand is still installed for the package
manager, and one that was copied in by hand never was.

.. rubric:: Example

With this policy::

    commands:
      required:
        - docker | podman
        - skopeo

an image with ``/usr/bin/podman`` and ``/usr/bin/skopeo``, both executable x86-64 programs on an x86-64 image, passes.

An image fails where ``/usr/bin/skopeo`` is missing, is a link that leads nowhere, has no execute bit, is empty, is cut
off, is an aarch64 program, or needs ``libgpgme.so.11``, which was removed.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.architecture import Architecture
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.facts.commands import PATH, Commands, Program
from diskimage_validator.facts.libraries import Libraries, Linkage, Missing
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "commands-required"
TITLE: Final = "Required commands"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("commands", "architecture", "libraries")
MAX_TOLD: Final = 5
"""Missing libraries that a message names."""

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
    libraries = known(question.facts.libraries)
    for names in question.rules.commands.required:
        yield _check_command(" | ".join(names), _programs(names, commands), architecture, libraries)


def _programs(names: Sequence[str], commands: Commands) -> list[Program]:
    """Return those of the alternatives that are on PATH."""
    for name in names:
        if name not in commands.programs:
            raise FactUnavailableError(
                f"nobody looked for the command '{name}' when the facts were collected",
                "collect the facts with the same policy",
            )
    return [program for name in names if (program := commands.programs[name])]


def _check_command(
    subject: str, programs: Sequence[Program], architecture: Architecture, libraries: Libraries
) -> Finding:
    """Return what the first program that can be run says, or else all that is wrong."""
    expected = "executable on PATH"
    if not programs:
        names = f"{subject.replace(' | ', ' and ')} {'are' if '|' in subject else 'is'}"
        message = f"{names} not on PATH ({':'.join(PATH)})"
        hint = "the package may be installed and its file gone: see what packages-required says"
        return Finding(subject, Status.FAIL, message, expected, "not found", hint)
    faults: list[str] = []
    doubts: list[str] = []
    for program in programs:
        linkages = [(path, libraries.programs[path]) for path in program.executes if path in libraries.programs]
        fault = _fault(program, architecture) or "; ".join(filter(None, (_misfit(*linkage) for linkage in linkages)))
        doubt = "; ".join(f"{path}: {linkage.unreadable}" for path, linkage in linkages if linkage.unreadable)
        if not fault and not doubt:
            what = program.machine or (f"script for {program.interpreter}" if program.interpreter else program.kind)
            return Finding(subject, Status.PASS, f"{program.path} can be run", expected, what, path=program.path)
        faults += [fault] if fault else []
        doubts += [doubt] if doubt and not fault else []
    path = programs[0].path
    if doubts:
        message = f"could not tell whether all libraries are there: {'; '.join(doubts)}"
        return Finding(subject, Status.ERROR, message, expected, "unknown", path=path)
    hint = "install the package anew" if any(program.state == "ok" for program in programs) else ""
    return Finding(subject, Status.FAIL, "; ".join(faults), expected, "; ".join(faults), hint, path)


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


def _misfit(path: str, linkage: Linkage) -> str:
    """Return why the ELF program at ``path`` cannot be loaded; empty if it can."""
    if linkage.damaged:
        return f"{path} is a {linkage.damaged}" if "ELF file" in linkage.damaged else f"{path}: {linkage.damaged}"
    if linkage.interpreter_fault:
        return f"{path} is loaded by {linkage.interpreter}, which {linkage.interpreter_fault}"
    if not linkage.missing:
        return ""
    told = ", ".join(_missing(path, missing) for missing in linkage.missing[:MAX_TOLD])
    more = len(linkage.missing) - MAX_TOLD
    return f"{path} needs {told}{f', and {more} more that are not there' if more > 0 else ''}"


def _missing(program: str, missing: Missing) -> str:
    through = "" if missing.needed_by == program else f" (through {missing.needed_by})"
    return f"{missing.name}{through}, {missing.reason or 'which is not in the image'}"
