"""Every Git repository that is wanted is there, with its branches.

git itself asks (``git ls-remote``), as Zuul's mergers and executors do, over HTTPS, SSH or git://; it has to be
installed on this host. TLS is verified against the bundle, SSH host keys against ``known_hosts``, redirections are not
followed, and neither this host's nor the user's configuration counts.

.. rubric:: Example

With this factory::

    services:
      git:
        - {url: "https://git.internal/zuul/config", branches: [main]}

the line passes if that repository has the branch ``main``.

It fails if the mirror still has ``master`` only, or if there is no such repository.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import no_answer, shown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.git import AskRepository, Branches
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.rules.services.git import GitRepository

ID: Final = "git-branches"
TITLE: Final = "Git repositories"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskRepository]:
    """Yield a question per repository."""
    return map(_ask, factory.rules.services.git)


def _ask(repository: GitRepository) -> AskRepository:
    return AskRepository(repository.url, repository.user, repository.password, repository.key, repository.known_hosts)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every repository."""
    for repository in question.factory.rules.services.git:
        yield judge(question.seen[_ask(repository)], repository.url, repository.branches)


def judge(evidence: Evidence[Branches | Trouble], subject: str, wanted: list[str]) -> Finding:
    """Return the finding on one repository."""
    expected = f"branches {shown(wanted)}"
    fact = evidence.fact
    if isinstance(fact, Unreadable | Trouble):
        return no_answer(evidence, subject, expected, fact)
    there = set(fact.names)
    missing = [branch for branch in wanted if branch not in there]
    actual = shown(list(fact.names)) or "none"
    if missing:
        hint = "push it there, or look when the mirror was last updated, and from where"
        message = f"lacks {shown(missing)}; its branches are {actual}"
        return tell(evidence, subject, Status.FAIL, message, expected, actual, hint)
    return tell(evidence, subject, Status.PASS, f"has {shown(wanted)}", expected, actual)
