"""What object stores say: questions and answers. All sizes are bytes."""

from diskimage_validator.frozen import dataclass
from diskimage_validator.readiness.asking import Ask
from diskimage_validator.readiness.facts.servers import names_in, server_of
from diskimage_validator.readiness.secret import Secret


@dataclass(frozen=True)
class S3Bucket:
    """A bucket of an S3 service at ``url``, without a slash at its end, and who asks."""

    url: str
    bucket: str
    region: str
    access_key: Secret
    secret_key: Secret

    @property
    def server(self) -> str:
        """Whom this contacts."""
        return server_of(self.url)

    @property
    def server_names(self) -> tuple[str, ...]:
        """Whom the URL names."""
        return names_in(self.url)

    def __str__(self) -> str:
        return f"the bucket {self.bucket}"


@dataclass(frozen=True)
class SwiftContainer:
    """A container of the account that ``cloud`` of a clouds.yaml logs in to."""

    clouds: Secret
    cloud: str
    container: str

    @property
    def server(self) -> str:
        """Whom this contacts."""
        return f"Keystone and Swift of {self.cloud} in {self.clouds}"

    @property
    def server_names(self) -> tuple[str, ...]:
        """Not yet known: the clouds.yaml and the cloud's catalogue tell."""
        return (self.server,)

    def __str__(self) -> str:
        return f"the container {self.container}"


@dataclass(frozen=True)
class ObjectStore:
    """What came of a bucket or container.

    ``trouble``: what is wrong, as a sentence; ``left``: the object that could not be removed, and why.
    """

    trouble: str = ""
    left: str = ""


@dataclass(frozen=True)
class AskObjectStore(Ask[ObjectStore]):
    """Whether ``place`` is there; with ``write`` also whether it gives back what is put into it."""

    place: S3Bucket | SwiftContainer
    write: bool

    @property
    def target(self) -> str:
        """The servers."""
        return self.place.server

    @property
    def server_names(self) -> tuple[str, ...]:
        """The servers."""
        return self.place.server_names

    @property
    def what(self) -> str:
        """If it writes, this says so."""
        more = "; WRITE a small object into it, read it, and remove it" if self.write else ""
        return f"HEAD {self.place}{more}"


@dataclass(frozen=True)
class StoreRoom:
    """How much room there is.

    ``quota`` and ``used`` are those of the bucket or container; ``account`` is a name for who shares
    ``account_quota``, of which ``account_used`` is taken. A quota of None: there is none. ``untold``: what could not
    be told, as a sentence.
    """

    quota: int | None = None
    used: int = 0
    account: str = ""
    account_quota: int | None = None
    account_used: int = 0
    untold: str = ""


@dataclass(frozen=True)
class AskStoreRoom(Ask[StoreRoom]):
    """The quotas that count for ``place``, and what is used of them."""

    place: S3Bucket | SwiftContainer

    @property
    def target(self) -> str:
        """The servers."""
        return self.place.server

    @property
    def server_names(self) -> tuple[str, ...]:
        """The servers."""
        return self.place.server_names

    @property
    def what(self) -> str:
        """S3 knows no quotas: what is there is listed."""
        if isinstance(self.place, S3Bucket):
            return f"list {self.place}, to sum up its sizes"
        return f"HEAD {self.place} and its account, for their quotas"
