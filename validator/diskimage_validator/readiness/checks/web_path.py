"""What is written into a folder is served by the web server in front of it.

Between the two there often is a share (NFS) or a cache, and each has its own idea of what is there. So a small file
with a new name, ``readiness-...txt``, is written into the folder, on this host or on a node through SSH, asked for
until it is served with the same bytes, and removed again, also when the run is interrupted. Before it is written its
URL is asked for once: a cache that keeps the 404 for longer than ``seconds`` hides logs from whoever looked too
early.

.. rubric:: Example

With this factory::

    services:
      web_paths:
        - {url: "https://logs.internal/probe/", path: /srv/logs/probe, node: "ssh://zuul@node.internal", seconds: 5}

the line passes if the file is served with the same bytes within five seconds.

It fails if the URL serves another folder, or still says 404, or if the account may not write there. A node that
cannot be logged in to is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.pages import AskWebPath, WebPath

ID: Final = "web-path"
TITLE: Final = "Folders that are served"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"


def asks(factory: Factory) -> Iterator[AskWebPath]:
    """Yield a question per folder."""
    for place in factory.rules.services.web_paths:
        yield AskWebPath(place.url, place.node, place.path, place.seconds)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every folder, and one for every file that could not be removed."""
    for ask in dict.fromkeys(asks(question.factory)):
        yield from _judge(ask, question.seen[ask])


def _judge(ask: AskWebPath, evidence: Evidence[WebPath]) -> Iterator[Finding]:
    fact, expected = evidence.fact, f"a new file in {ask.path} is served within {ask.seconds:g} s"
    if isinstance(fact, Unreadable):
        yield cannot_tell(evidence, ask.url, expected, fact)
        return
    if fact.trouble:
        hint = "is the folder that of the URL, is the share mounted at both ends, and what is cached how long?"
        yield tell(evidence, ask.url, Status.FAIL, fact.trouble, expected, "not served", hint)
    else:
        actual = f"served after {fact.seconds or 0:.1f} s"
        yield tell(evidence, ask.url, Status.PASS, actual, expected, actual)
    if fact.left:
        yield tell(evidence, ask.url, Status.FAIL, fact.left, "nothing is left", fact.left, "remove it by hand")
