"""The status page of a launcher: it gives JSON to whoever asks for it (``Accept``), and tables to browsers."""

from typing import Final

from pydantic import BaseModel, TypeAdapter

from diskimage_validator.readiness.facts.nodepool import (
    AskImages,
    AskLabels,
    AskLauncher,
    AskNodes,
    Images,
    Labels,
    Launcher,
    Nodes,
)
from diskimage_validator.readiness.facts.trouble import Trouble
from diskimage_validator.readiness.probes.http import ask_http
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.web import Text, fetch_json, good


class _Label(BaseModel):
    label: Text


class _Build(BaseModel):
    image: Text
    state: Text


class _Upload(_Build):
    provider: Text


class _Image(BaseModel):
    image: Text
    paused: bool


class _Node(BaseModel):
    label: list[Text] | Text
    state: Text


_LABELS: Final = TypeAdapter(list[_Label])
_BUILDS: Final = TypeAdapter(list[_Build])
_UPLOADS: Final = TypeAdapter(list[_Upload])
_IMAGES: Final = TypeAdapter(list[_Image])
_NODES: Final = TypeAdapter(list[_Node])
_NOT_READY: Final = 503


def ask_launcher(ask: AskLauncher, means: Means) -> Launcher | Trouble:
    """Return whether the launcher is ready."""
    try:
        page = ask_http(means, "GET", f"{ask.url}/ready", plain=True)
        if page.status == _NOT_READY:
            return Launcher(ready=False)
        if good(page).body.strip() != b"OK":
            raise BrokenError("answer", "answers with something else than OK")
    except BrokenError as error:
        return error.trouble
    return Launcher(ready=True)


def ask_labels(ask: AskLabels, means: Means) -> Labels | Trouble:
    """Return the labels that launchers offer."""
    try:
        rows = fetch_json(f"{ask.url}/label-list", _LABELS, means)
    except BrokenError as error:
        return error.trouble
    return Labels(tuple(sorted({row.label for row in rows})))


def ask_images(ask: AskImages, means: Means) -> Images | Trouble:
    """Return all builds and uploads."""
    try:
        builds = fetch_json(f"{ask.url}/dib-image-list", _BUILDS, means)
        uploads = fetch_json(f"{ask.url}/image-list", _UPLOADS, means)
        # In the first of these, the launcher does not notice that an image was paused while it runs.
        images = fetch_json(f"{ask.url}/image-status", _IMAGES, means)
    except BrokenError as error:
        return error.trouble
    return Images(
        tuple((row.image, row.state) for row in builds),
        tuple((row.image, row.provider, row.state) for row in uploads),
        tuple(row.image for row in images if row.paused),
    )


def ask_nodes(ask: AskNodes, means: Means) -> Nodes | Trouble:
    """Return all nodes."""
    try:
        rows = fetch_json(f"{ask.url}/node-list", _NODES, means)
    except BrokenError as error:
        return error.trouble
    return Nodes(tuple((tuple(row.label) if isinstance(row.label, list) else (row.label,), row.state) for row in rows))
