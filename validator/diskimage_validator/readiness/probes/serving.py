"""From which upload Nodepool and Zuul start nodes.

Nodepool: nodepool/status.py, ``image_list`` and ``dib_image_list``, where ``age`` is the moment (seconds since the
epoch) of the last change of state; a launcher takes the upload that became ready last (``getMostRecentImageUpload`` of
nodepool/zk/zookeeper.py). Zuul: ``ZuulWebAPI.images`` of zuul/web; a launcher takes the newest that is ready and
validated (``getImageExternalId`` of zuul/launcher/server.py).
"""

from typing import Annotated, Final, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from diskimage_validator.errors import EngineError
from diskimage_validator.readiness.facts.serving import AskServing, Serving, Upload
from diskimage_validator.readiness.probes.cloud_images import cloud_image
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.web import Text, fetch_json

READY: Final = "ready"
Form = TypeVar("Form")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Build(BaseModel):
    id: Text
    image: Text
    state: Text
    age: int


class _NodepoolUpload(BaseModel):
    """``id`` is the build's."""

    id: Text
    image: Text
    provider: Text
    external_id: Text | None
    state: Text
    age: int


class _ZuulUpload(BaseModel):
    endpoint_name: Text
    external_id: Text | None
    state: Text
    validated: bool | None
    timestamp: Text


class _Artifact(BaseModel):
    build_uuid: Text | None
    format: Text
    sha256: Sha256 | None
    state: Text
    timestamp: Text
    uploads: list[_ZuulUpload] = []


class _Image(BaseModel):
    name: Text
    build_artifacts: list[_Artifact] = []


_BUILDS: Final = TypeAdapter(list[_Build])
_UPLOADS: Final = TypeAdapter(list[_NodepoolUpload])
_IMAGES: Final = TypeAdapter(list[_Image])


def ask_serving(ask: AskServing, means: Means) -> Serving:
    """Return what nodes are started from. Raises EngineError if somebody does not tell it, UsageError for bad files."""
    serving = _nodepool(ask, means) if ask.service == "nodepool" else _zuul(ask, means)
    if serving.upload is None or ask.clouds is None:
        return serving
    stored = cloud_image(ask.clouds, ask.cloud, serving.upload.identity, ask.path, means)
    return Serving(serving.upload, serving.states, serving.newest_build, stored)


def _nodepool(ask: AskServing, means: Means) -> Serving:
    builds = [one for one in _fetch(ask, "dib-image-list", _BUILDS, means) if one.image == ask.image]
    uploads = [one for one in _fetch(ask, "image-list", _UPLOADS, means) if one.image == ask.image]
    here = [one for one in uploads if one.provider == ask.provider]
    ready = [one for one in here if one.state == READY and one.external_id]
    newest = max((one for one in builds if one.state == READY), key=lambda one: one.age, default=None)
    found = max(ready, key=lambda one: one.age, default=None)
    upload = Upload(found.external_id or "", f"{found.image}-{found.id}") if found else None
    return Serving(upload, tuple(one.state for one in here if one is not found), newest.id if newest else "")


def _zuul(ask: AskServing, means: Means) -> Serving:
    images = _fetch(ask, f"api/tenant/{quote(ask.tenant, safe='')}/images", _IMAGES, means)
    artifacts = [artifact for image in images if image.name == ask.image for artifact in image.build_artifacts]
    pairs = [(one, upload) for one in artifacts for upload in one.uploads if upload.endpoint_name == ask.provider]
    # Of the same moment, the last in Zuul's own list.
    ordered = sorted(pairs, key=lambda pair: pair[1].timestamp)
    usable = [pair for pair in ordered if _usable(pair[1])]
    artifact, found = usable[-1] if usable else (None, None)
    states = tuple(_state(upload) for _, upload in ordered if upload is not found)
    newest = max((one for one in artifacts if one.state == READY), key=lambda one: one.timestamp, default=None)
    if artifact is None or found is None:
        return Serving(None, states)
    upload = Upload(found.external_id or "", artifact.build_uuid or "", artifact.format, artifact.sha256 or "")
    return Serving(upload, states, (newest.build_uuid or "") if newest else "")


def _usable(upload: _ZuulUpload) -> bool:
    return bool(upload.state == READY and upload.validated and upload.external_id)


def _state(upload: _ZuulUpload) -> str:
    return "not validated" if upload.state == READY and not upload.validated else upload.state


def _fetch(ask: AskServing, path: str, form: TypeAdapter[Form], means: Means) -> Form:
    try:
        return fetch_json(f"{ask.url}/{path}", form, means)
    except BrokenError as error:
        name = "the launcher's web application" if ask.service == "nodepool" else "Zuul's web server"
        raise EngineError(f"{ask.url}/{path}: {error.trouble}", f"is this {name}, and does it run?") from error
