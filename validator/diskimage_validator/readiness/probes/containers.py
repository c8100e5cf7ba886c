"""Sizes of container images, out of their manifests: nothing is pulled.

``skopeo inspect --raw`` gives a manifest as the registry has it: an OCI image index or a Docker manifest list, whose
entries are asked for in turn, or the manifest of one image, whose configuration then tells its platform
(https://github.com/opencontainers/image-spec, image-index.md and manifest.md). Names are resolved as this host resolves
them: skopeo cannot be told an address.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from diskimage_validator.errors import EngineError
from diskimage_validator.process import MORTAL, NOT_FOUND, run_bounded
from diskimage_validator.readiness.facts.storage import AskContainerImage, ContainerImage, Stored
from diskimage_validator.readiness.probes.authorities import pem_bundle
from diskimage_validator.readiness.probes.means import Means
from diskimage_validator.temporary import TemporaryFolder

MAX_MANIFEST: Final = 4 * 1024 * 1024
"""Bytes; the limit of containers/image."""
MAX_ENTRIES: Final = 1_000
VARIANTS: Final = {"amd64": "v1", "arm": "v7", "arm64": "v8"}
"""Of a CPU, where none is told: so containerd compares platforms (its module platforms, database.go); the names are
those of the specification (image-index.md, "Platform Variants")."""


def ask_container_image(ask: AskContainerImage, means: Means) -> ContainerImage:
    """Return what an image takes in a registry. Raises a ValidatorError if that cannot be told."""
    with TemporaryFolder() as folder, _credentials(ask, means) as auth:
        return _Inspection(ask, means, folder.path, auth).read()


@contextlib.contextmanager
def _credentials(ask: AskContainerImage, means: Means) -> Iterator[str]:
    """Give the name of a file with the credentials, in memory: on a disk they might outlive us. Empty without any."""
    if ask.auth is None:
        yield ""
        return
    with os.fdopen(os.memfd_create("auth", os.MFD_CLOEXEC), "wb") as file:
        file.write(ask.auth.read(means.folder))
        file.flush()
        yield f"/proc/{os.getpid()}/fd/{file.fileno()}"


class _Inspection:
    """One image; ``folder`` is for what skopeo takes from files only; ``auth``: the file of credentials, or empty."""

    def __init__(self, ask: AskContainerImage, means: Means, folder: Path, auth: str) -> None:
        self._ask = ask
        self._timeout = means.timeout
        self._options = ["--tls-verify=true"]
        self._environment: dict[str, str] = {}
        if means.authorities:
            (folder / "certs").mkdir()
            (folder / "none").mkdir()
            bundle = folder / "certs" / "ca.crt"
            bundle.write_bytes(pem_bundle(means.authorities))
            # The option adds to what this host trusts, and replaces only the folders under certs.d; the variables say
            # what that is: crypto/x509, SystemCertPool.
            self._options += ["--cert-dir", str(folder / "certs")]
            self._environment = {"SSL_CERT_FILE": str(bundle), "SSL_CERT_DIR": str(folder / "none")}
        if auth:
            self._options += ["--authfile", auth]

    def read(self) -> ContainerImage:
        """Return the image with all platforms that are wanted."""
        text = self._raw(self._ask.image)
        top = self._parsed(text)
        if "manifests" not in top:
            return self._single(text, top)
        entries = [(_platform(entry.get("platform")), entry) for entry in _entries(top, "manifests")]
        found = {_whole(platform): entry for platform, entry in reversed(entries)}
        blobs = [_stored(text)]
        wanted = dict.fromkeys(map(_whole, self._ask.platforms))
        for platform in wanted:
            if platform in found:
                text = self._raw(f"{_repository(self._ask.image)}@{_digest(found[platform])}")
                blobs += [_stored(text), *_blobs(self._parsed(text))]
        missing = tuple(platform for platform in self._ask.platforms if _whole(platform) not in found)
        return ContainerImage(tuple(dict.fromkeys(blobs)), tuple(sorted({name for name, _ in entries})), missing)

    def _single(self, text: str, manifest: dict[str, Any]) -> ContainerImage:
        platform = _platform(self._parsed(self._raw(self._ask.image, "--config")))
        missing = tuple(wanted for wanted in self._ask.platforms if _whole(wanted) != _whole(platform))
        blobs = [_stored(text), *_blobs(manifest)] if len(missing) < len(self._ask.platforms) else []
        return ContainerImage(tuple(dict.fromkeys(blobs)), (platform,), missing)

    def _raw(self, reference: str, *options: str) -> str:
        command = [*MORTAL, "skopeo", "inspect", "--raw", *options, *self._options, f"docker://{reference}"]
        done = run_bounded(command, timeout=self._timeout, limit=MAX_MANIFEST, environment=self._environment)
        if done.status == NOT_FOUND:
            raise EngineError("skopeo is not installed", "install the package skopeo")
        if done.status:
            reason = _reason(done.stderr)
            raise EngineError(f"skopeo inspect {reference}: {reason}", _NAME_HINT if _NO_NAME.search(reason) else _HINT)
        return done.stdout

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise EngineError(f"{self._ask.image}: the manifest is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise EngineError(f"{self._ask.image}: the manifest is no object")
        return found


_HINT: Final = "is the image in that registry, is its CA in 'certificates.bundle', and are credentials needed ('auth')?"

_NAME_HINT: Final = (
    "skopeo asks the resolvers of this host, not those of 'dns': correct its resolv.conf, or the image's registry"
)
_NO_NAME: Final = re.compile(r"\blookup \S+( on \S+)?: ")
"""How Go's resolver begins what it says: net.DNSError."""


def _reason(stderr: str) -> str:
    """Return the message of skopeo's last line, which logrus writes as ``msg="..."``."""
    line = (stderr.strip().splitlines() or ["no reason"])[-1]
    return line.partition("msg=")[2].strip('"').replace('\\"', '"') or line


def _repository(image: str) -> str:
    name = image.partition("@")[0]
    host, slash, path = name.partition("/")
    return host + slash + path.partition(":")[0]


def _entries(manifest: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = manifest.get(key)
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES or not all(isinstance(one, dict) for one in entries):
        raise EngineError(f"a manifest without a proper list of '{key}'", "images of schema 1 have to be built anew")
    return entries


def _platform(found: Any) -> str:
    found = found if isinstance(found, dict) else {}
    return "/".join(str(found[key]) for key in ("os", "architecture", "variant") if found.get(key))


def _whole(platform: str) -> str:
    """Return a platform with the variant that it has if none is told: tools that build images write it, or do not."""
    system, architecture, variant = (*platform.split("/", 2), "", "")[:3]
    return f"{system}/{architecture}/{variant or VARIANTS.get(architecture, '')}"


def _digest(entry: dict[str, Any]) -> str:
    digest = str(entry.get("digest"))
    if not digest.startswith("sha256:") or not digest.removeprefix("sha256:").isalnum():
        raise EngineError("an entry of a manifest without a sha256")
    return digest


def _blobs(manifest: dict[str, Any]) -> Iterator[Stored]:
    config = manifest.get("config")
    for entry in [*([config] if isinstance(config, dict) else []), *_entries(manifest, "layers")]:
        size = entry.get("size")
        if not isinstance(size, int) or size < 0:
            raise EngineError("an entry of a manifest without a size")
        yield Stored(_digest(entry), size)


def _stored(text: str) -> Stored:
    data = text.encode()
    return Stored(f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
