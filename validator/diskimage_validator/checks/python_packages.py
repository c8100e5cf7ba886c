"""Python distributions are there, or are not, in the versions asked for, per interpreter and virtual environment.

Requirements are written as pip reads them, name and versions, and versions compare as PEP 440 says; a pre-release is a
version like any other. What counts is the metadata beside the installed code, whoever put it there: the package
manager, pip, or a build. So this check sees what ``packages-required`` cannot.

``required`` is asked of the system's ``python3``, ``forbidden`` of every environment that is found anywhere: the
system's interpreters, others such as ``/opt/python``, virtual environments, and folders such as ``/root/.local``.
Under ``environments`` each can be asked by itself, by the path of its interpreter or folder, which may be a pattern. A
virtual environment that was made with ``--system-site-packages`` also has what its base has.

.. rubric:: Example

With this policy::

    packages:
      python:
        required:
          - pyyaml
        forbidden:
          - urllib3 < 1.26.5
        environments:
          /opt/ansible:
            required:
              - ansible-core >= 2.15, < 2.17

an image passes with PyYAML 6.0 for ``/usr/bin/python3``, urllib3 1.26.12 and, in ``/opt/ansible``, ansible-core 2.16.3.

An image fails where ``/opt/ansible`` is not there, holds ansible-core 2.14.0, or where a copy of urllib3 1.24 was
installed for root alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.python_packages import Distribution, PythonEnvironment, PythonPackages
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

if TYPE_CHECKING:  # only some policies have requirements
    from packaging.requirements import Requirement

ID: Final = "python-packages"
TITLE: Final = "Python distributions"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("python",)

SYSTEM_PYTHON: Final = "/usr/bin/python3"


def asked(policy: Policy) -> bool:
    """Whether the policy says anything about Python distributions."""
    rules = policy.rules.packages.python
    return bool(rules.required or rules.forbidden or rules.environments)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every requirement in every environment that it is asked of."""
    packages = known(question.facts.python)
    rules = question.rules.packages.python
    yield from _check_environments(SYSTEM_PYTHON, rules.required, (), packages)
    for environment in packages.environments:
        for requirement in rules.forbidden:
            yield from _check_forbidden(requirement, environment, environment.distributions)
    if rules.forbidden and not packages.environments:
        yield Finding("Python", Status.PASS, "the image has no Python")
    for pattern, own in rules.environments.items():
        yield from _check_environments(pattern, own.required, own.forbidden, packages)
    if rules.forbidden:
        yield from _check_unreadable(packages.environments)


def _check_environments(
    pattern: str, required: Sequence["Requirement"], forbidden: Sequence["Requirement"], packages: PythonPackages
) -> Iterator[Finding]:
    environments = packages.matching(pattern)
    if not environments and (required or forbidden):
        status = Status.FAIL if required else Status.PASS
        yield Finding(pattern, status, "no such Python environment", "an environment" if required else "", "none")
    for environment in environments:
        for requirement in required:
            yield _check_required(requirement, environment, packages.visible(environment))
        for requirement in forbidden:
            yield from _check_forbidden(requirement, environment, packages.visible(environment))


def _subject(requirement: "Requirement", environment: PythonEnvironment) -> str:
    return f"{requirement} in {environment.path}"


def _check_required(
    requirement: "Requirement", environment: PythonEnvironment, distributions: Iterable[Distribution]
) -> Finding:
    """Judge the first distribution of that name: it is the one that Python imports."""
    subject, expected = _subject(requirement, environment), f"{requirement} installed"
    found = next((each for each in distributions if each.name == requirement.name), None)
    if found is None:
        hint = "install it there, or correct the policy"
        if environment.unreadable:
            hint = f"not looked into, because damaged: {'; '.join(environment.unreadable[:3])}"
        return Finding(subject, Status.FAIL, "not installed", expected, "not installed", hint)
    actual = f"{found.name} {found.version}"
    matches = _matches(found, requirement)
    if matches is None:
        return _no_version(subject, found)
    message = f"{actual} is installed" + ("" if matches else f", not {requirement.specifier}")
    hint = "" if matches else "install a version within the bounds, or correct the policy"
    return Finding(subject, Status.PASS if matches else Status.FAIL, message, expected, actual, hint, found.path)


def _check_forbidden(
    requirement: "Requirement", environment: PythonEnvironment, distributions: Iterable[Distribution]
) -> Iterator[Finding]:
    """Judge every distribution of that name: what lies behind another one is there all the same."""
    subject, expected = _subject(requirement, environment), f"{requirement} not installed"
    bad = False
    versions: list[str] = []
    for found in (each for each in distributions if each.name == requirement.name):
        matches = _matches(found, requirement)
        actual = f"{found.name} {found.version}"
        versions.append(actual)
        if matches is None:
            yield _no_version(subject, found)
        elif matches:
            hint = "remove or upgrade it"
            yield Finding(subject, Status.FAIL, f"{actual} is installed", expected, actual, hint, found.path)
        bad = bad or matches is not False
    if not bad:
        there = ", ".join(versions)
        message = f"{there} is installed, and allowed" if there else "not installed"
        yield Finding(subject, Status.PASS, message, expected, there or "not installed")


def _matches(distribution: Distribution, requirement: "Requirement") -> bool | None:
    """Whether the version is within the bounds; None if it is no version."""
    if not requirement.specifier:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        version = Version(distribution.version)
    except InvalidVersion:
        return None
    return requirement.specifier.contains(version, prereleases=True)


def _no_version(subject: str, found: Distribution) -> Finding:
    message = f"{found.name} has '{found.version}' as its version, which PEP 440 does not know"
    return Finding(subject, Status.ERROR, message, actual=found.version, path=found.path)


def _check_unreadable(environments: Iterable[PythonEnvironment]) -> Iterator[Finding]:
    """What cannot be read may be what is forbidden."""
    for environment in environments:
        for fault in environment.unreadable:
            yield Finding(environment.path, Status.ERROR, f"could not tell what is installed: {fault}")
