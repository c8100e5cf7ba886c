"""Which image nodes are started from: questions and answers."""

from typing import Literal

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import names_in
from diskimage_validator.readiness.secret import Secret


@dataclass(frozen=True)
class Upload:
    """An image in a cloud. ``identity``: what the cloud calls it; ``build``: what it was made by.

    ``format`` and ``sha256``: of the file that was uploaded, where whoever did it tells.
    """

    identity: str
    build: str
    format: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class CloudImage:
    """What a cloud says of an image: ``status`` is empty if there is none, and then nothing else is filled.

    ``sha256``: that of the file, as the uploader said; ``size`` in bytes; ``algorithm`` and ``digest``: what the cloud
    itself computed of what it stores, in hex, and ``of_file`` the same of the file that was asked about.
    """

    status: str = ""
    format: str = ""
    sha256: str = ""
    algorithm: str = ""
    digest: str = ""
    of_file: str = ""


@dataclass(frozen=True)
class Serving:
    """``upload``: the one that nodes are started from; ``states``: those of all others, as ``uploading``.

    ``newest_build``: the newest that is ready, if that is told; ``stored``: what the cloud says, if it is asked.
    """

    upload: Upload | None
    states: tuple[str, ...] = ()
    newest_build: str = ""
    stored: CloudImage | None = None


@dataclass(frozen=True)
class AskServing(Ask[Serving]):
    """What the nodes of ``image`` are started from, by Nodepool or Zuul at ``url``, in ``cloud`` of ``clouds``.

    ``path``: the file that it should be; ``tenant`` is Zuul's.
    """

    service: Literal["nodepool", "zuul"]
    url: str
    tenant: str
    image: str
    provider: str
    clouds: Secret | None
    cloud: str
    path: str

    @property
    def target(self) -> str:
        """The service."""
        return self.url

    @property
    def server_names(self) -> tuple[str, ...]:
        """The service, and whom the clouds.yaml and the cloud's catalogue name."""
        cloud = (f"Keystone and Glance of {self.cloud} in {self.clouds}",) if self.clouds else ()
        return names_in(self.url) + cloud

    @property
    def what(self) -> str:
        """What is asked there, and of the cloud."""
        paths = "/image-list, /dib-image-list" if self.service == "nodepool" else f"/api/tenant/{self.tenant}/images"
        asked = f"; the image in the cloud {self.cloud} of {self.clouds}" if self.clouds else ""
        return f"GET {paths}: {self.image} in {self.provider}{asked}"
