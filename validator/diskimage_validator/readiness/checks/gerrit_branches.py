"""Every project that is wanted is in Gerrit, with its branches.

Gerrit tells nobody that a project exists which he may not see: status 404 may mean either.

.. rubric:: Example

With this factory::

    services:
      gerrit:
        - url: https://review.internal
          projects: [{name: zuul/config, branches: [main]}]

the line passes if ``zuul/config`` has the branch ``main``.

It fails if there is no such project, or no such branch in it.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.model import Finding, Severity
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.checks.git_branches import judge
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.git import AskGerritProject
from diskimage_validator.readiness.rules.services.git import GerritProject, GerritService

ID: Final = "gerrit-branches"
TITLE: Final = "Projects of Gerrit"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskGerritProject]:
    """Yield a question per project."""
    return (_ask(gerrit, project) for gerrit in factory.rules.services.gerrit for project in gerrit.projects)


def _ask(gerrit: GerritService, project: GerritProject) -> AskGerritProject:
    return AskGerritProject(gerrit.url, project.name, gerrit.user, gerrit.password)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every project."""
    for gerrit in question.factory.rules.services.gerrit:
        for project in gerrit.projects:
            evidence = question.seen[_ask(gerrit, project)]
            yield judge(evidence, f"{project.name} of {gerrit.url}", project.branches)
