"""The target runs one of the distributions that the policy allows.

The distribution is ID and VERSION_ID of os-release(5). A version of the policy also allows its minor versions: ``"9"``
allows ``9.4``, but ``"1"`` does not allow ``12``. Versions are text: write them in quotes.

Without ``os`` any distribution will do, as long as the target says which one it is.

.. rubric:: Example

With this policy::

    os:
      any:
        - {id: debian, versions: ["12", "13"]}
        - {id: rocky, versions: ["9"]}

an image with ``ID=debian`` and ``VERSION_ID="12"`` passes, and so does ``ID=rocky`` with ``VERSION_ID="9.4"``.

An image with ``ID=debian`` and ``VERSION_ID="11"`` fails, and so does any ``ID=fedora``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question, always
from diskimage_validator.facts import known
from diskimage_validator.facts.os_release import OsRelease
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.rules.system import Release

ID: Final = "os"
TITLE: Final = "Operating system"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("os",)
asked = always


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding: whether the distribution is allowed."""
    found = known(question.facts.os)
    allowed = question.rules.os.any
    actual = f"{found.id} {found.version_id}".strip()
    ok = allowed is None or any(_allows(release, found) for release in allowed)
    expected = ", ".join(str(release) for release in allowed) if allowed else "any distribution"
    message = f"the distribution is {found.name or actual}" if ok else f"the policy does not allow {actual}"
    yield Finding("distribution", Status.PASS if ok else Status.FAIL, message, expected, actual, path=found.path)


def _allows(release: Release, found: OsRelease) -> bool:
    if release.id != found.id:
        return False
    versions = release.versions
    return versions is None or any(f"{found.version_id}.".startswith(f"{version}.") for version in versions)
