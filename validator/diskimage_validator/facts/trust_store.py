"""Which CAs the target trusts: the *generated* bundle, the anchors it is generated from, and the distribution's own.

Copying a CA file into the anchors' folder changes nothing until the bundle is generated anew; so both are read.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.certificates import Certificate, Unparsed, fingerprints, parse_certificates
from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import clean_path

READ_LIMIT: Final = 16 * 1024 * 1024
ANCHOR_READ_LIMIT: Final = 1024 * 1024
MAX_FILES: Final = 5_000


@dataclass(frozen=True)
class Layout:
    """Where a family of distributions keeps things.

    ``bundles``: the generated bundle, first that exists; ``anchors``: folders for local CAs; ``shipped``: files and
    folders with the distribution's own CAs; ``suffix``: what an anchor's name has to end in to be picked up.
    """

    bundles: tuple[str, ...]
    anchors: tuple[str, ...]
    shipped: tuple[str, ...]
    suffix: str
    command: str


LAYOUTS: Final = {
    "debian": Layout(  # update-ca-certificates(8)
        bundles=("/etc/ssl/certs/ca-certificates.crt",),
        anchors=("/usr/local/share/ca-certificates",),
        shipped=("/usr/share/ca-certificates/mozilla",),
        suffix=".crt",
        command="update-ca-certificates",
    ),
    "rhel": Layout(  # update-ca-trust(8)
        bundles=("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",),
        anchors=("/etc/pki/ca-trust/source/anchors", "/usr/share/pki/ca-trust-source/anchors"),
        shipped=("/usr/share/pki/ca-trust-source/ca-bundle.trust.p11-kit",),
        suffix="",
        command="update-ca-trust extract",
    ),
    "suse": Layout(  # update-ca-certificates(8) of SUSE, which generates with p11-kit
        bundles=("/var/lib/ca-certificates/ca-bundle.pem", "/etc/ssl/ca-bundle.pem"),
        anchors=("/etc/pki/trust/anchors", "/usr/share/pki/trust/anchors"),
        shipped=("/usr/share/pki/trust/ca-certificates-mozilla.trust.p11-kit",),
        suffix="",
        command="update-ca-certificates",
    ),
}


@dataclass(frozen=True)
class Anchor:
    """A file in a folder for local CAs. ``ignored``: its name keeps the generator from picking it up."""

    path: str
    certificates: tuple[Certificate, ...]
    unparsed: tuple[Unparsed, ...]
    ignored: bool = False


@dataclass(frozen=True)
class TrustStore:
    """A target's trust store.

    ``bundle_path`` is None if there is no generated bundle; ``shipped`` are the sha256 of the distribution's own CAs;
    ``command`` generates the bundle.
    """

    bundle_path: str | None
    certificates: tuple[Certificate, ...]
    unparsed: tuple[Unparsed, ...]
    anchors: tuple[Anchor, ...]
    shipped: tuple[str, ...]
    command: str

    def find(self, sha256: str) -> Certificate | None:
        """Return the certificate of that fingerprint in the generated bundle."""
        return next((certificate for certificate in self.certificates if certificate.sha256 == sha256), None)

    def anchors_of(self, sha256: str) -> list[Anchor]:
        """Return the anchor files that hold the certificate of that fingerprint."""
        return [anchor for anchor in self.anchors if any(c.sha256 == sha256 for c in anchor.certificates)]

    @property
    def added(self) -> list[Certificate]:
        """Certificates in the generated bundle that the distribution did not ship."""
        shipped = set(self.shipped)
        return [certificate for certificate in self.certificates if certificate.sha256 not in shipped]


def read_trust_store(engine: Engine, family: str) -> TrustStore:
    """Return the trust store of a target whose OS family is ``family`` (see OsRelease; empty if unknown).

    Without a known family the layout whose bundle exists is taken. Raises FactError if files are too many, and what an
    engine raises for one that is too large.
    """
    layout = LAYOUTS.get(family) or _guess_layout(engine)
    path = next((path for path in layout.bundles if _is_file(engine, path)), None)
    parsed = parse_certificates(engine.read(path, limit=READ_LIMIT) if path else b"")
    return TrustStore(
        bundle_path=path,
        certificates=parsed.certificates,
        unparsed=parsed.unparsed,
        anchors=tuple(_anchors(engine, layout)),
        shipped=tuple(sorted(_shipped(engine, layout))),
        command=layout.command,
    )


def _guess_layout(engine: Engine) -> Layout:
    for layout in LAYOUTS.values():
        if any(_is_file(engine, path) for path in layout.bundles):
            return layout
    return LAYOUTS["debian"]


def _anchors(engine: Engine, layout: Layout) -> Iterator[Anchor]:
    for folder in layout.anchors:
        for path in _files(engine, folder):
            parsed = parse_certificates(engine.read(path, limit=ANCHOR_READ_LIMIT))
            ignored = not path.endswith(layout.suffix)
            if parsed.certificates or parsed.unparsed or not ignored:  # a README is no anchor
                yield Anchor(clean_path(path), parsed.certificates, parsed.unparsed, ignored)


def _shipped(engine: Engine, layout: Layout) -> set[str]:
    found: set[str] = set()
    for path in layout.shipped:
        for file in [path] if _is_file(engine, path) else _files(engine, path):
            found.update(fingerprints(engine.read(file, limit=READ_LIMIT)))
    return found


def _files(engine: Engine, folder: str) -> Iterator[str]:
    """Yield the files below ``folder``, links to files included, as update-ca-certificates finds them."""
    entry = engine.stat(folder)
    if entry is None or not entry.is_dir:
        return
    for count, (path, found) in enumerate(engine.walk(folder)):
        if count == MAX_FILES:
            raise FactError(f"more than {MAX_FILES} files below {folder}")
        if found.is_file or (found.is_link and _is_file(engine, path)):
            yield path


def _is_file(engine: Engine, path: str) -> bool:
    entry = engine.stat(path)
    return entry is not None and entry.is_file
