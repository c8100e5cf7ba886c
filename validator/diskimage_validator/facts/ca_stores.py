"""Every store of CAs in the target, by consumer: who reads it, what it holds, what it distrusts.

The distribution's generated bundle (see trust_store) is one of many. OpenSSL looks CAs up by hash in a folder, Java has
keystores, Python packages and JDKs bring bundles of their own, registries have CAs for one host alone, NSS a database.

Certificates are kept once, in a pool; a store names them by fingerprint, in its own order, repetitions included.
"""

from diskimage_validator.certificates import Certificate, Unparsed
from diskimage_validator.consumers import SYSTEM
from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class HashLink:
    """An entry ``xxxxxxxx.N`` of a hashed folder that does not work, and why, as the end of a sentence."""

    name: str
    fault: str


@dataclass(frozen=True)
class CaStore:
    """One store.

    ``consumer``: see ``consumers``; ``path``: as the consumer names it; ``kind``: ``pem``, ``trusted-pem``,
    ``hash-directory``, ``jks``, ``pkcs12``, ``edk2``, ``nss``; ``real``: where the path leads after links, or the
    other store that the consumer was patched to read instead; ``also``: real path of a store that it reads in
    addition; ``host``: registry with port of a store for one host.

    ``certificates``: sha256 of those that it trusts for TLS servers, in order; ``distrusted``: those that it marks as
    not trusted; ``unknown``: those whose trust cannot be told; ``unlinked``: in a hashed folder, those that no hash
    link reaches; ``hash_links``: links that do not work; ``missing``: files that its configuration names and that are
    not there; ``ignored``: files with certificates that its reader passes over because of their names.

    ``unreadable`` is the reason why the store could not be read, wholly or in part: the lists are then incomplete.
    ``command`` generates it anew, empty if nothing does.
    """

    consumer: str
    path: str
    kind: str
    real: str
    certificates: tuple[str, ...] = ()
    distrusted: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    unlinked: tuple[str, ...] = ()
    unparsed: tuple[Unparsed, ...] = ()
    hash_links: tuple[HashLink, ...] = ()
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    also: str = ""
    host: str = ""
    command: str = ""
    unreadable: str = ""

    def __str__(self) -> str:
        host = f" ({self.host})" if self.host and self.host not in self.path else ""
        return f"{self.consumer} {self.path}{host}"


@dataclass(frozen=True)
class PrivateKey:
    """A private key in a store or beside it: never the key, only where and what it is.

    ``line`` is that of its BEGIN, 0 if the file is no text; ``kind`` its PEM label or a word for it; ``mode`` the
    file's permission bits; ``client``: the file is a client key of ``certs.d``.
    """

    path: str
    line: int
    kind: str
    mode: int
    client: bool = False


@dataclass(frozen=True)
class Blocked:
    """A CA that the image's own configuration takes out of trust.

    ``path`` and ``line`` say where: a line of ca-certificates.conf, or a file of a blocklist (line 0); ``certificates``
    are the sha256 of what it names, empty if that is not there.
    """

    path: str
    line: int
    name: str
    certificates: tuple[str, ...]


@dataclass(frozen=True)
class UnreadFile:
    """A file beside a store, or a blocklist, that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class CaStores:
    """All stores. ``certificates``: the pool, by sha256; ``ders``: their DER form in base64, for path validation."""

    stores: tuple[CaStore, ...]
    certificates: dict[str, Certificate]
    ders: dict[str, str]
    private_keys: tuple[PrivateKey, ...]
    blocked: tuple[Blocked, ...]
    unread: tuple[UnreadFile, ...]

    def of(self, consumer: str) -> list[CaStore]:
        """Return the stores of that consumer."""
        return [store for store in self.stores if store.consumer == consumer]

    def at(self, path: str) -> CaStore | None:
        """Return the store that is really at ``path`` and holds certificates itself, no consumer that was led there."""
        found = [store for store in self.stores if store.real == path]
        return next((store for store in found if store.path == path), found[0] if found else None)

    def trusted_by(self, store: CaStore) -> tuple[str, ...]:
        """Return the sha256 of all that the consumer of ``store`` trusts: with the store that it reads in addition."""
        other = self.at(store.also) if store.also else None
        return store.certificates + (other.certificates if other else ())

    @property
    def system(self) -> CaStore | None:
        """The generated bundle."""
        return next((store for store in self.stores if store.consumer == SYSTEM), None)
