"""Which package mirror a build uses, and whether it has what the build needs.

A wrong mirror is found before the build, in a second, instead of in the middle of it.
"""

import platform
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airgap_image_factory.errors import BuildError
from diskimage_validator.errors import UsageError
from diskimage_validator.process import find_program, run

TIMEOUT: Final = 30.0


@dataclass(frozen=True)
class Mirror:
    """Base URLs of a Debian archive (``.../debian``) and of its security archive (``.../debian-security``)."""

    archive: str
    security: str

    def sources(self, release: str) -> list[tuple[str, str]]:
        """Return (base URL, suite) of everything that a build of ``release`` downloads from."""
        return [
            (self.archive, release),
            (self.archive, f"{release}-updates"),
            (self.security, f"{release}-security"),
        ]


def choose_mirror(archive: str | None, security: str | None, *, plain_http: bool = False) -> Mirror:
    """Return the mirror to use: the one given, or else the host's own.

    Without ``security`` it is taken to lie beside the archive, as on every Debian mirror: ``X/debian`` and
    ``X/debian-security``. A URL that is given must be https unless ``plain_http`` says otherwise; what the host's own
    apt uses is taken as it is. Raises UsageError if a URL is no such URL, if none is given and the host has none of its
    own, or if the security archive cannot be told from ``archive``.
    """
    if archive is None:
        host = _host_mirror()
        return Mirror(host.archive, _checked(security, plain_http)) if security else host
    archive = _checked(archive, plain_http)
    if security is None:
        if not archive.endswith("/debian"):
            raise UsageError(f"no security archive known for {archive}", "name it with --security-mirror")
        security = f"{archive}-security"
    return Mirror(archive, _checked(security, plain_http))


def probe(mirror: Mirror, release: str, authorities: Sequence[Path]) -> None:
    """Ask the mirror for every suite's InRelease, trusting what the host trusts and ``authorities`` (PEM or DER).

    Raises BuildError, with the URL and the reason, if one is not served or its certificate is not trusted.
    """
    context = ssl.create_default_context()
    for path in authorities:
        content = path.read_bytes()
        context.load_verify_locations(cadata=content.decode("ascii", "ignore") if b"-----BEGIN" in content else content)
    for base, suite in mirror.sources(release):
        url = f"{base}/dists/{suite}/InRelease"
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the scheme was checked
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT, context=context):  # noqa: S310
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise BuildError(f"{url}: {error.code} {error.reason}", _MISSING.format(suite=suite)) from None
        except (urllib.error.URLError, OSError) as error:
            reason = getattr(error, "reason", error)
            raise BuildError(f"{url}: {reason}", _hint(reason)) from None


_MISSING: Final = "the mirror does not serve {suite}: see --mirror and --security-mirror"


def _hint(reason: object) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "name the CA that signed the mirror's certificate with --ca"
    return "is the mirror reachable from this host? See --mirror"


def _checked(url: str, plain_http: bool) -> str:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{url!r} is no http or https URL", "example: https://mirror.internal/debian")
    if parts.username or parts.password:
        raise UsageError("a mirror URL must not carry credentials: they would be baked into the image")
    if parts.scheme == "http" and not plain_http:
        hint = (
            "use https, or say --allow-plain-http: packages are signed, but who is between sees and can hold them back"
        )
        raise UsageError(f"{url} is not protected by TLS", hint)
    return url.rstrip("/")


def _host_mirror() -> Mirror:
    """Return the mirror in the host's own apt configuration, if the host runs Debian."""
    release = platform.freedesktop_os_release()
    if release.get("ID") != "debian" or find_program("apt-get") is None:
        raise UsageError("this host has no Debian mirror of its own", "name one with --mirror")
    # apt resolves all of its own formats: one-line, deb822, options and variables (apt-get(8), indextargets).
    command = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"]
    suites = dict(line.split(" ", 1) for line in run(command, timeout=TIMEOUT).stdout.splitlines() if " " in line)
    codename = release.get("VERSION_CODENAME", "")
    try:
        return Mirror(*(_checked(suites[suite], plain_http=True) for suite in (codename, f"{codename}-security")))
    except KeyError as error:
        raise UsageError(f"the host's apt configuration has no source for {error.args[0]}", "use --mirror") from None
