"""No password or token is in the image's configuration.

Credentials get into images through the build: a mirror's password in apt's sources, a login at the registry, a proxy
with user and password in the environment, which diskimage-builder's element ``manifests`` then writes into the image
as ``/etc/dib-manifests/dib_environment``. Reports name file, line and kind, and never the value.

Read are netrc files and apt's ``auth.conf``; the logins in Docker's ``config.json`` and in ``auth.json`` of Podman,
Buildah and Skopeo; the settings of pip, npm, Yarn, Twine, Cargo, git, apt, dnf, zypp, MySQL, PostgreSQL, AWS, Google
Cloud, OpenStack and Kubernetes; ``/etc/environment``, ``profile``, ``default``, ``sysconfig``, systemd's and
cloud-init's configuration, ``/etc/dib-manifests``; NetworkManager's connections; debconf's passwords. In all of
``/etc`` and in the dot files of homes URLs with a password are found. A value that only refers to another place, such
as ``$TOKEN`` or a path, and what stands in a comment are no findings.

.. rubric:: Example

With this policy::

    hygiene:
      credentials: true

an image passes whose apt sources say ``https://mirror.internal/debian``.

An image fails whose sources say ``https://builder:PASSWORD@mirror.internal/debian``, whose
``/root/.docker/config.json`` has a login, or whose ``/etc/dib-manifests/dib_environment`` has a variable
``DIB_REGISTRY_TOKEN``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import could_not_read
from diskimage_validator.facts import known
from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.globs import matches
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-credentials"
TITLE: Final = "Credentials in configuration"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("secrets",)

_EXPECTED: Final = "no password, no token"
_HINT: Final = "remove it from the image; if it was in use, replace it, since everybody with the image has it"
_DIB_HINT: Final = (
    "do not give secrets to the build as DIB_ variables, or remove /etc/dib-manifests; replace the secret"
)


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.credentials


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every credential that is not allowed, and one pass if there is none."""
    secrets = known(question.facts.secrets)
    if not secrets.files:
        raise FactUnavailableError("no file was found in the places where credentials are looked for")
    yield from could_not_read(secrets.problems, _EXPECTED)
    allowed = question.rules.hygiene.credentials_allowed
    refused = [found for found in secrets.credentials if not matches(found.path, allowed)]
    for found in refused:
        hint = _DIB_HINT if found.path.startswith("/etc/dib-manifests/") else _HINT
        message = f"a credential: {found.kind}"
        yield Finding(found.path, Status.FAIL, message, _EXPECTED, found.kind, hint, found.path, found.line)
    if not refused and not secrets.problems:
        yield Finding("credentials", Status.PASS, f"none in {secrets.files} files", _EXPECTED, "none")
