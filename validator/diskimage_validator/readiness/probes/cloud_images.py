"""What OpenStack's image service says of an image.

Image API v2: https://docs.openstack.org/api-ref/image/v2/. ``os_hash_value`` is what Glance computed of the data that
it stores; openstacksdk, with which Nodepool and Zuul upload, writes the sha256 that it was told into
``owner_specified.openstack.sha256`` (openstack/image/v2/_proxy.py).
"""

import hashlib
from pathlib import Path
from typing import Final
from urllib.parse import quote

from pydantic import AliasChoices, BaseModel, Field, ValidationError

from diskimage_validator.errors import EngineError, UsageError
from diskimage_validator.readiness.facts.serving import CloudImage
from diskimage_validator.readiness.probes.http import ask_http
from diskimage_validator.readiness.probes.keystone import log_in
from diskimage_validator.readiness.probes.links import BrokenError
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.readiness.probes.web import Text
from diskimage_validator.readiness.secret import Secret

ALGORITHMS: Final = ("sha256", "sha384", "sha512")
_SHA256: Final = ("owner_specified.openstack.sha256", "owner_specified.shade.sha256")
_HINT: Final = "is the catalogue's endpoint of 'image' that of Glance v2, and does it answer this host?"


class _Image(BaseModel):
    status: Text
    disk_format: Text | None = None
    sha256: Text = Field(default="", validation_alias=AliasChoices(*_SHA256))
    os_hash_algo: Text | None = None
    os_hash_value: Text | None = None


def cloud_image(clouds: Secret, cloud: str, identity: str, path: str, means: Means) -> CloudImage:
    """Return what ``cloud`` says of the image ``identity``, which should be the file at ``path``.

    Raises EngineError if the cloud does not tell, UsageError if files of this host are not what they should be.
    """
    session = log_in(clouds, cloud, means)
    base = session.url("image")
    place = f"{base if base.endswith('/v2') else base + '/v2'}/images/{quote(identity, safe='')}"
    try:
        reply = ask_http(means, "GET", place, headers={"X-Auth-Token": session.token, "Accept": "application/json"})
    except BrokenError as error:
        raise EngineError(f"the image service of {cloud}: {error}", _HINT) from error
    if reply.status == 404:
        return CloudImage()
    if reply.status != 200:
        raise EngineError(f"the image service of {cloud}: {reply.said}", "may this account see the image?")
    try:
        image = _Image.model_validate_json(reply.body)
    except ValidationError as error:
        message = f"the image service of {cloud} answers with something else than an image"
        raise EngineError(message, _HINT) from error
    algorithm = image.os_hash_algo if image.os_hash_algo in ALGORITHMS and image.os_hash_value else ""
    of_file = _digest(path, algorithm) if algorithm else ""
    digest = image.os_hash_value or "" if algorithm else ""
    return CloudImage(image.status, image.disk_format or "", image.sha256, algorithm or "", digest, of_file)


def _digest(path: str, algorithm: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, algorithm).hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}", "may this account read it?") from error
