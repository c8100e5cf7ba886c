"""The temporary ways out, which were open while the factory was built, no longer work.

Every path of the list is tried again from every build node, in the same way, and judged by the same rules, as a canary
of ``firewall-closed``: a path that does not answer is closed only if the node has a network, so the endpoints of the
factory are tried as well. Keep the list when the paths are closed: it is what notices that one was opened again.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: mirror.internal}
    bootstrap:
      nodes: ["ssh://zuul@node.internal"]
      paths:
        - {address: 192.0.2.80, port: 443, note: first packages of the mirror, closed_by: 2026-09-01}
        - {proxy: "proxy.internal:3128", target: "www.example.org:443"}

the line passes if nothing comes back from 192.0.2.80, and the proxy says no, or cannot be reached.

It fails if one of them works, whatever the day; the finding tells since when it should not. To accept that for a while,
use a waiver. If a path is refused with a TCP reset, nothing is known of the firewall: ERROR.
"""

import dataclasses
from collections.abc import Iterator
from datetime import date
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, cannot_tell
from diskimage_validator.readiness.checks.egress import factory_attempts, judge_closed, place, working
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.egress import AskEgress, Attempt
from diskimage_validator.readiness.rules.egress import BootstrapPath

ID: Final = "bootstrap-closed"
TITLE: Final = "Bootstrap egress is closed again"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Bootstrap egress"


def _paths(factory: Factory) -> dict[Attempt, BootstrapPath]:
    return {_attempt(path): path for path in (factory.rules.bootstrap.paths if factory.rules.bootstrap else ())}


def _attempt(path: BootstrapPath) -> Attempt:
    if path.proxy:
        return Attempt("connect", path.proxy, str(path.target), path.credentials)
    return place(path.address or "", path.port, path.protocol)


def asks(factory: Factory) -> Iterator[AskEgress]:
    """Yield a question per node: the paths, and what tells that the node has a network."""
    attempts = tuple(dict.fromkeys([*factory_attempts(factory), *_paths(factory)]))
    for node in dict.fromkeys(factory.rules.bootstrap.nodes if factory.rules.bootstrap else ()):
        yield AskEgress(node, attempts)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every node and path."""
    rules, paths = question.factory.rules.bootstrap, _paths(question.factory)
    for ask in asks(question.factory):
        evidence = question.seen[ask]
        if isinstance(evidence.fact, Unreadable):
            yield cannot_tell(evidence, ask.node, "closed", evidence.fact)
            continue
        works = working(evidence.fact, set(ask.attempts) - set(paths))
        for attempt, answers in evidence.fact.found:
            if rules and attempt in paths:
                found = judge_closed(evidence, ask, attempt, answers, works, rules)
                yield _with_story(found, paths[attempt], question.now.date())


def _with_story(found: Finding, path: BootstrapPath, today: date) -> Finding:
    """Return the finding with what the list says of the path."""
    message = found.message
    if path.closed_by and found.status is Status.FAIL:
        late = (today - path.closed_by).days
        message += f"; it had to be closed by {path.closed_by}"
        message += f", {late} days ago" if late > 0 else ""
    return dataclasses.replace(found, message=f"{message} ({path.note})" if path.note else message)
