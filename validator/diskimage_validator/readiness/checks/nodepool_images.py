"""Nodepool has a build of every image that is wanted, and the clouds have got it.

One build that is ``ready`` is enough, whatever became of others; an image that is ``paused`` is not built any more,
until somebody takes that back. With ``providers``, each of these has an upload that is ``ready``.

.. rubric:: Example

With this factory::

    services:
      nodepool:
        - url: https://nodepool.internal
          images:
            - {name: debian-bookworm, providers: [cloud]}

the line passes if ``/dib-image-list`` has a ready build of ``debian-bookworm``, and ``/image-list`` a ready upload of
it to ``cloud``.

It fails if all builds failed.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, tell
from diskimage_validator.readiness.checks.web_services import no_answer, shown
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.nodepool import AskImages, Images
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.rules.services.nodepool import NodepoolImage

ID: Final = "nodepool-images"
TITLE: Final = "Images of Nodepool"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

READY: Final = "ready"


def asks(factory: Factory) -> Iterator[AskImages]:
    """Yield a question per launcher with images."""
    return (AskImages(nodepool.url) for nodepool in factory.rules.services.nodepool if nodepool.images)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image."""
    for nodepool in question.factory.rules.services.nodepool:
        for image in nodepool.images:
            evidence, subject = question.seen[AskImages(nodepool.url)], f"{image.name} of {nodepool.url}"
            expected = "a ready build" + (f", ready in {shown(image.providers)}" if image.providers else "")
            if isinstance(evidence.fact, Unreadable | Trouble):
                yield no_answer(evidence, subject, expected, evidence.fact)
                continue
            actual, hint = _fault(image, evidence.fact)
            if actual:
                yield tell(evidence, subject, Status.FAIL, actual, expected, actual, hint)
            else:
                yield tell(evidence, subject, Status.PASS, f"has {expected}", expected, expected)


def _fault(image: NodepoolImage, images: Images) -> tuple[str, str]:
    """Return what is wrong, and what to do; empty if nothing is."""
    builds = [state for name, state in images.builds if name == image.name]
    if not builds:
        others = shown(sorted({name for name, _ in images.builds}))
        return f"there is no build of it; builds are there of {others or 'nothing'}", "does a builder have it?"
    if image.name in images.paused:
        return "is paused: it is not built any more", "nodepool image-unpause, or 'pause' in nodepool.yaml"
    if READY not in builds:
        return f"no build is ready: {_counted(builds)}", "look into the build log, on the builder"
    for provider in image.providers:
        uploads = [state for name, where, state in images.uploads if (name, where) == (image.name, provider)]
        if READY not in uploads:
            hint = "look into the builder's log: quota, credentials and certificate of that cloud"
            return f"no upload to {provider} is ready: {_counted(uploads) or 'there is none'}", hint
    return "", ""


def _counted(states: list[str]) -> str:
    return ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
