"""Nodes are started from this very image.

Nodepool and Zuul say which upload they take: the newest that is ready (and, for Zuul, validated). What the cloud has
under that upload's id is held against the file: by the sha256 that whoever uploaded it gave, and by the checksum that
the cloud itself computed of what it stores. Zuul tells the sha256 of what it uploaded, so that without a cloud that is
compared. A cloud that was given another format of the same build has other bytes: name that file, then.

.. rubric:: Example

With this factory::

    node_images:
      - image: airgap-node.qcow2
        served_by:
          - nodepool: https://nodepool.internal
            image: debian-bookworm-podman
            provider: internal-cloud
            clouds: file:/etc/nodepool/clouds.yaml
            cloud: internal

the line passes if the newest upload to internal-cloud is ready, and its checksums are those of the file.

It fails if no upload is ready, if nodes are started from another image, or if the newest build is not uploaded. If a
service does not tell, or the formats differ, it is neither: ERROR.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks.base import Question, cannot_tell, tell
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.images import AskImageFile, ImageIdentity
from diskimage_validator.readiness.facts.serving import AskServing, Serving, Upload
from diskimage_validator.readiness.rules.node_images import NodeImage, ServingRules

ID: Final = "image-served"
TITLE: Final = "Node images that nodes are started from"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Node image"


def asks(factory: Factory) -> Iterator[AskImageFile | AskServing]:
    """Yield two questions per image and service."""
    for node in factory.rules.node_images:
        for rules in node.served_by:
            yield from _questions(factory, node, rules)


def _questions(factory: Factory, node: NodeImage, rules: ServingRules) -> tuple[AskImageFile, AskServing]:
    path = str(factory.folder / node.image)
    service, url = ("nodepool", rules.nodepool) if rules.nodepool else ("zuul", rules.zuul)
    where = (url or "", rules.tenant or "", rules.image, rules.provider, rules.clouds, rules.cloud or "", path)
    return AskImageFile(path), AskServing("nodepool" if service == "nodepool" else "zuul", *where)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every image and service."""
    for node in question.factory.rules.node_images:
        for rules in node.served_by:
            image, ask = _questions(question.factory, node, rules)
            file, evidence = question.seen[image].fact, question.seen[ask]
            subject = f"{ask.image} in {ask.provider}"
            if isinstance(file, Unreadable):
                yield cannot_tell(question.seen[image], subject, f"{ask.path} is served", file)
                continue
            expected = f"{ask.path}, sha256 {file.sha256}"
            if isinstance(evidence.fact, Unreadable):
                yield cannot_tell(evidence, subject, expected, evidence.fact)
            else:
                yield _finding(evidence, evidence.fact, subject, expected, file)


def _finding(evidence: Evidence[Serving], fact: Serving, subject: str, expected: str, file: ImageIdentity) -> Finding:
    upload = fact.upload
    if upload is None:
        others = f" ({', '.join(sorted(set(fact.states)))})" if fact.states else ": there is none"
        hint = "look at the log of the builder or launcher, which uploads images"
        return tell(evidence, subject, Status.FAIL, f"no upload is ready{others}", expected, "none", hint)
    actual = f"image {upload.identity} of build {upload.build}"
    status, message, hint = _compared(fact, upload, file)
    return tell(evidence, subject, status, f"nodes are started from {actual}: {message}", expected, actual, hint)


def _compared(fact: Serving, upload: Upload, file: ImageIdentity) -> tuple[Status, str, str]:
    stored = fact.stored
    if stored and not stored.status:
        return Status.FAIL, "the cloud has no such image", "it was deleted behind Nodepool's or Zuul's back: build anew"
    if stored and stored.status != "active":
        return Status.FAIL, f"the cloud says that it is {stored.status}", "upload it again"
    form = stored.format if stored else upload.format
    if form and form != file.format:
        message = f"it is {form} there, and the file is {file.format}, so that no checksum can be compared"
        return Status.ERROR, message, f"name the {form} file of that build in the factory.yaml"
    sha256 = (stored.sha256 if stored else "") or upload.sha256
    if sha256 and sha256 != file.sha256:
        return Status.FAIL, f"that is another one, with the sha256 {sha256}{_newer(fact, upload)}", _HINT
    if stored and stored.digest and stored.digest != stored.of_file:
        message = f"what the cloud stores has not the {stored.algorithm} of the file{_newer(fact, upload)}"
        return Status.FAIL, message, _HINT
    compared = [f"the sha256 that the uploader gave ({sha256})"] if sha256 else []
    compared += [f"the {stored.algorithm} of what the cloud stores"] if stored and stored.digest else []
    if not compared:
        return Status.ERROR, "nobody tells a checksum of it", "upload it with openstacksdk, as Nodepool and Zuul do"
    return Status.PASS, f"{' and '.join(compared)} {'is' if len(compared) == 1 else 'are'} that of the file", ""


_HINT: Final = "upload the image, or name the file of that build in the factory.yaml"


def _newer(fact: Serving, upload: Upload) -> str:
    if fact.newest_build and fact.newest_build != upload.build:
        return f"; a newer build, {fact.newest_build}, is ready and not uploaded"
    return ""
