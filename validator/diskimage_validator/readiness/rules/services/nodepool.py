"""Section ``services.nodepool``: Nodepool, as the status page of a launcher tells of it."""

from typing import Annotated

from pydantic import Field

from diskimage_validator.readiness.rules.services.web_urls import WebUrlField
from diskimage_validator.rules.base import Model, NonEmpty


class NodepoolImage(Model):
    """A disk image that nodes are started from."""

    name: NonEmpty
    providers: list[NonEmpty] = []
    """Clouds that have to have it, too."""


class NodepoolService(Model):
    """One launcher. What it tells of labels, images and nodes it has from ZooKeeper, so it is true of all of them."""

    url: WebUrlField
    """Of its web application (``webapp`` in nodepool.yaml, port 8005), which speaks TLS only through a proxy."""
    labels: list[NonEmpty] = []
    images: list[NodepoolImage] = []
    ready_nodes: dict[NonEmpty, Annotated[int, Field(ge=1, le=100_000)]] = {}
    """How many nodes with a label are ready, at least: what ``min-ready`` keeps."""
