"""The log server serves what people and dashboards look for, over TLS that the bundle verifies.

Each entry is one URL: the front page, a folder, or a file that is known to be there (a probe that is put there for
this, or a log of last week's periodic job). A redirection is not followed: name the place that it leads to, or its
status.

``gzip`` asks for what Zuul's dashboard and browsers need to show a compressed log: ``Content-Encoding: gzip`` and the
type of what is inside. ``listing: false`` asks that a folder does not list what is in it; a list is known by its
title, which begins with "Index of" (nginx, Apache), "Listing of" (Swift's staticweb) or "Directory listing" (Python).

.. rubric:: Example

With this factory::

    services:
      logs:
        - {url: "https://logs.internal/", status: 403}
        - {url: "https://logs.internal/probe/job-output.txt.gz", text: PLAY RECAP, content_type: text/plain, gzip: true}

the line passes if the first is forbidden, and the second is there, sent as compressed text.

It fails if the log is not there (404), is sent as ``application/gzip``, or does not have that text in its first MiB.
"""

import re
from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.pages import AskPage, Page
from diskimage_validator.readiness.rules.services.logs import LogPage

ID: Final = "log-server"
TITLE: Final = "Log server"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_TITLE: Final = re.compile(r"<title>\s*(?:index of|listing of|directory listing)\b", re.IGNORECASE)
TITLE_WITHIN: Final = 4096
"""Characters in which a list has its title."""


def asks(factory: Factory) -> Iterator[AskPage]:
    """Yield a question per URL."""
    for page in factory.rules.services.logs:
        yield AskPage(page.url)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every entry."""
    for page in question.factory.rules.services.logs:
        yield _judge(page, question.seen[AskPage(page.url)])


def _judge(page: LogPage, evidence: Evidence[Page]) -> Finding:
    fact, expected = evidence.fact, ", ".join(_expected(page))
    if isinstance(fact, Unreadable):
        return cannot_tell(evidence, page.url, expected, fact)
    if fact.trouble:
        hint = "is the server up, and is its CA in 'certificates.bundle'?"
        return tell(evidence, page.url, Status.FAIL, fact.trouble, expected, "no answer", hint)
    actual = ", ".join(filter(None, (fact.said, fact.content_type, fact.encoding)))
    if fact.status != page.status:
        hint = "was the log uploaded, and does the server look into that folder?"
        return tell(evidence, page.url, Status.FAIL, f"answers {fact.said}", expected, actual, hint)
    faults = list(_faults(page, fact))
    if faults:
        message, hint = "; ".join(fault for fault, _ in faults), faults[0][1]
        return tell(evidence, page.url, Status.FAIL, message, expected, actual, hint)
    return tell(evidence, page.url, Status.PASS, f"answers {actual}", expected, actual)


def _expected(page: LogPage) -> Iterator[str]:
    yield f"HTTP status {page.status}"
    if page.content_type:
        yield page.content_type
    if page.gzip:
        yield "Content-Encoding: gzip"
    if page.text:
        yield f"with the text '{page.text}'"
    if page.listing is not None:
        yield "the list of a folder" if page.listing else "no list of a folder"


def _faults(page: LogPage, fact: Page) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and what to do."""
    if page.gzip and fact.encoding != "gzip":
        yield "is sent without 'Content-Encoding: gzip'", "let the server say so of files that end in .gz"
    if page.content_type and fact.content_type != page.content_type:
        is_ = fact.content_type or "nothing"
        yield f"is sent as {is_}, and not as {page.content_type}", "look at the server's table of media types"
    if page.text and page.text not in fact.text:
        yield f"the text '{page.text}' is not in it", "is this the file that was meant? Only its first MiB is read"
    is_list = bool(_TITLE.search(fact.text[:TITLE_WITHIN]))
    if page.listing is True and not is_list:
        yield "does not list the folder", "switch the list on (nginx: autoindex)"
    if page.listing is False and is_list:
        yield "lists the folder", "switch the list off, or protect it"
