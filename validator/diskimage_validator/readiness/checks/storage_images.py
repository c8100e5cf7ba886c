"""The size of every container image that the mirrors have to hold can be told, for every platform that is wanted.

Manifests are read with ``skopeo inspect --raw``; nothing is pulled. What counts is what a registry stores: layers as
they are sent, configurations and manifests.

.. rubric:: Example

With this factory::

    storage:
      images:
        - {image: "registry.internal:5000/kolla/nova-api:2026.1", platforms: [linux/amd64, linux/arm64]}
      mirrors:
        - {path: /srv/mirror}

the line passes if the image is there for both platforms.

It fails if there is none for ``linux/arm64``. An image that cannot be asked about is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.storage import AskContainerImage
from diskimage_validator.sizes import format_size

ID: Final = "storage-images"
TITLE: Final = "Container images for the mirrors"
SEVERITY: Final = Severity.WARNING
LINE: Final = "Storage"


def asks(factory: Factory) -> Iterator[AskContainerImage]:
    """Yield a question per image."""
    if storage := factory.rules.storage:
        for source in storage.images:
            yield AskContainerImage(source.image, tuple(dict.fromkeys(source.platforms)), storage.auth)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image."""
    for ask in dict.fromkeys(asks(question.factory)):
        evidence, expected = question.seen[ask], f"an image for {', '.join(ask.platforms)}"
        fact = evidence.fact
        if isinstance(fact, Unreadable):
            yield cannot_tell(evidence, ask.image, expected, fact)
            continue
        actual = ", ".join(fact.platforms)
        if fact.missing:
            message = f"has nothing for {', '.join(fact.missing)}; it is for {actual}"
            hint = "build it for that platform, or take the platform out of the factory.yaml"
            yield tell(evidence, ask.image, Status.FAIL, message, expected, actual, hint)
        else:
            size = format_size(sum(blob.size for blob in fact.blobs))
            yield tell(evidence, ask.image, Status.PASS, f"{size} for {', '.join(ask.platforms)}", expected, actual)
