"""The package manager has a source that is switched on: a node that cannot install anything is of little use.

Looked at is the package manager of the image's family: apt, dnf or zypper. A source on the machine itself (``file:``,
``cdrom:``) counts.

.. rubric:: Example

With ``air_gap: {sources: true}`` an image passes that has ``deb https://mirror.internal/debian bookworm main``.

It fails where ``/etc/apt/sources.list`` holds nothing but comments, and where every repository has ``enabled=0``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "air-gap-sources"
TITLE: Final = "Package sources"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("endpoints", "os")

MANAGERS: Final = {"debian": "apt", "rhel": "dnf", "suse": "zypper"}


def asked(policy: Policy) -> bool:
    """Whether the policy wants a source."""
    return policy.rules.air_gap.sources


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for the package manager of the family."""
    manager = MANAGERS.get(known(question.facts.os).family)
    if manager is None:
        yield Finding("package sources", Status.ERROR, "could not tell which package manager this system has")
        return
    facts = known(question.facts.endpoints)
    expected = "at least one source that is switched on"
    sources = [found for found in facts.endpoints if (found.kind, found.purpose) == (manager, "packages")]
    enabled = [source for source in sources if source.enabled]
    if enabled:
        first = enabled[0]
        message = f"sources that are switched on: {len(enabled)}, the first is {first.url}"
        yield Finding(manager, Status.PASS, message, expected, str(len(enabled)), "", first.path, first.line)
        return
    unreadable = [trouble for trouble in facts.troubles if trouble.kind == manager and not trouble.refused]
    if unreadable:
        trouble = unreadable[0]
        yield Finding(
            manager, Status.ERROR, f"could not read {trouble.path}: {trouble.reason}", expected, path=trouble.path
        )
        return
    message = f"every source is switched off ({len(sources)})" if sources else "there is no source at all"
    hint = "name the mirror in the site file of the element internal-mirrors"
    yield Finding(manager, Status.FAIL, message, expected, "none", hint, sources[0].path if sources else "")
