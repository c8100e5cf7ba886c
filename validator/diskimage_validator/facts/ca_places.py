"""Stores at fixed places: what the distributions' tools generate, and what other programs look for by habit."""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.consumers import SYSTEM
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.facts.ca_content import parse_pem
from diskimage_validator.facts.ca_hash_directory import has_hash_links, read_hash_directory
from diskimage_validator.facts.ca_shelf import Parser, Shelf
from diskimage_validator.facts.ca_stores import CaStore
from diskimage_validator.facts.edk2_store import parse_edk2
from diskimage_validator.facts.java_keystore import parse_keystore
from diskimage_validator.facts.scene import Scene
from diskimage_validator.facts.trust_store import LAYOUTS
from diskimage_validator.printable import clean_path

_EXTRACTED: Final = "/etc/pki/ca-trust/extracted"

HABITS: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
    "/usr/lib/ssl/cert.pem",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/tls/cacert.pem",
)
"""Other names of the bundle: OpenSSL's default file, and where Go (crypto/x509/root_linux.go) and curl look for one.

Usually links to the generated bundle. Where one is a file of its own it is a store of its own.
"""

FILES: Final[tuple[tuple[str, str, str, Parser], ...]] = (
    ("openssl-trusted", f"{_EXTRACTED}/openssl/ca-bundle.trust.crt", "trusted-pem", parse_pem),
    ("email", f"{_EXTRACTED}/pem/email-ca-bundle.pem", "pem", parse_pem),
    ("code-signing", f"{_EXTRACTED}/pem/objsign-ca-bundle.pem", "pem", parse_pem),
    ("edk2", f"{_EXTRACTED}/edk2/cacerts.bin", "edk2", parse_edk2),
    ("java", f"{_EXTRACTED}/java/cacerts", "keystore", parse_keystore),
    ("java", "/etc/pki/java/cacerts", "keystore", parse_keystore),
    ("java", "/etc/ssl/certs/java/cacerts", "keystore", parse_keystore),
    ("java", "/var/lib/ca-certificates/java-cacerts", "keystore", parse_keystore),
)
"""Consumer, path, kind and parser of generated files: update-ca-trust(8), and SUSE's and Debian's counterparts."""

DIRECTORIES: Final = (
    f"{_EXTRACTED}/pem/directory-hash",
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/var/lib/ca-certificates/openssl",
    "/var/lib/ca-certificates/pem",
)


def system_bundle(scene: Scene) -> tuple[str, str]:
    """Return the path of the generated bundle, empty if there is none, and the command that generates it."""
    trust = scene.fact("trust")
    if not isinstance(trust, Unreadable):
        return trust.bundle_path or "", trust.command
    # The bundle itself may be what cannot be read: it is there all the same.
    layouts = [LAYOUTS[scene.family]] if scene.family in LAYOUTS else list(LAYOUTS.values())
    for layout in layouts:
        for path in layout.bundles:
            if scene.engine.exists(path):
                return path, layout.command
    return "", layouts[0].command


def read_places(shelf: Shelf, bundle: str, command: str) -> Iterator[CaStore]:
    """Yield the stores at fixed places, each once, the generated ``bundle`` first."""
    engine = shelf.engine
    seen: set[str] = set()
    for path in (bundle, *HABITS) if bundle else HABITS:
        entry = engine.lstat(path)
        real = engine.resolve(path)
        if entry is None or real in seen:
            continue
        seen.add(real)
        if entry.is_link and not engine.exists(path):
            yield CaStore(SYSTEM, path, "pem", clean_path(real), missing=(clean_path(real),), command=command)
        else:
            yield shelf.store(SYSTEM, path, "pem", parse_pem, command=command)
    for consumer, path, kind, parse in FILES:
        real = engine.resolve(path)
        if engine.exists(path) and real not in seen:
            seen.add(real)
            yield shelf.store(consumer, path, kind, parse, command=command)
    for path in DIRECTORIES:
        real = engine.resolve(path)
        if real not in seen and _is_hashed(shelf, path, bundle):
            seen.add(real)
            yield read_hash_directory(shelf, path, command)


def _is_hashed(shelf: Shelf, folder: str, bundle: str) -> bool:
    """Whether OpenSSL finds CAs in ``folder``, or would if somebody had not removed every link.

    Debian's update-ca-certificates and p11-kit make links; the RHEL family's /etc/pki/tls/certs may have none.
    """
    generated = folder.endswith("directory-hash") or (folder == "/etc/ssl/certs" and bundle.startswith(f"{folder}/"))
    return has_hash_links(shelf, folder) or (generated and shelf.engine.exists(folder))
