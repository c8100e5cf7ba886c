"""As many schedulers, executors, mergers and web servers of Zuul run as are wanted.

Zuul's web server lists every process that is connected to Zuul's ZooKeeper. Only those in the state ``running`` count:
one that is ``paused`` takes no new work, and one that is ``initializing`` may still fail. Without ``components`` there
has to be one scheduler, executor, merger and web server each; ``launcher`` is the one of Zuul, while Nodepool's have a
section of their own. An executor merges as well: a Zuul without mergers says ``merger: 0``.

.. rubric:: Example

With this factory::

    services:
      zuul:
        - url: https://zuul.internal
          components: {scheduler: 2, executor: 2}

the line passes if two schedulers and two executors, or more, are running.

It fails if the second executor is paused.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import no_answer, shown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.facts.zuul import AskComponents, Component, Components

ID: Final = "zuul-components"
TITLE: Final = "Zuul's components"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

RUNNING: Final = "running"


def asks(factory: Factory) -> Iterator[AskComponents]:
    """Yield a question per Zuul."""
    return (AskComponents(zuul.url, zuul.token) for zuul in factory.rules.services.zuul)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every Zuul and kind that it has to have; one, if it does not answer."""
    for zuul in question.factory.rules.services.zuul:
        evidence = question.seen[AskComponents(zuul.url, zuul.token)]
        if isinstance(evidence.fact, Unreadable | Trouble):
            yield no_answer(evidence, zuul.url, "a list of components", evidence.fact)
            continue
        for kind, wanted in zuul.components.items():
            if wanted:
                found = [one for one in evidence.fact.found if one.kind == kind]
                yield _judge(evidence, f"{kind} of {zuul.url}", wanted, found)


def _judge(evidence: Evidence[Components | Trouble], subject: str, wanted: int, found: list[Component]) -> Finding:
    running = [one.hostname for one in found if one.state == RUNNING]
    others = [f"{one.hostname} is {one.state}" for one in found if one.state != RUNNING]
    actual = shown([f"{len(running)} running" + (f" ({shown(running)})" if running else ""), *others])
    expected = f"{wanted} running"
    if len(running) >= wanted:
        return tell(evidence, subject, Status.PASS, actual, expected, actual)
    hint = "start it, or look into its log; a process that runs and is missing here has lost its ZooKeeper"
    if len(found) >= wanted:
        hint = "wait until it is initialized, or unpause it"
    return tell(evidence, subject, Status.FAIL, f"{actual}; {wanted} wanted", expected, actual, hint)
