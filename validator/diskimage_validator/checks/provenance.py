"""The image's own record of its build is there, and packages and CAs are those that it lists.

The element ``image-provenance`` bakes ``/etc/image-provenance.json``: elements, mirrors, CAs and packages of the
build. What it lists was true when the build ended. If packages or CAs differ now, somebody changed the image
afterwards, or the record came from another image.

``required`` fails an image without the record. ``matches`` compares: every package with version and architecture in
both directions, every CA that the build added with the generated bundle, and every CA in the bundle that neither the
distribution nor the build put there.

.. rubric:: Example

With this policy::

    provenance:
      required: true
      matches: true

an image passes as it came from the build.

An image fails in which ``virt-customize --install`` added a package, or whose record lists a CA that its bundle lacks.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.findings import not_all_listed
from diskimage_validator.facts import known
from diskimage_validator.facts.packages import Packages
from diskimage_validator.facts.provenance import PATH, Record
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "provenance"
TITLE: Final = "Provenance"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("provenance", "packages", "trust")

MAX_LISTED: Final = 100
_SUBJECT: Final = "record"
_HINT: Final = "build the image with the element image-provenance"
_KEY: Final = "gpg-pubkey"
"""What rpm calls a key that it trusts; it lists them among the packages."""

Versions = dict[tuple[str, str], set[str]]
"""(name, architecture) to versions: several for kernels."""


def asked(policy: Policy) -> bool:
    """Whether the policy asks for the record."""
    return policy.rules.provenance.required or policy.rules.provenance.matches


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for the record, and then one for everything that differs, or a pass for packages and for CAs."""
    rules = question.rules.provenance
    found = known(question.facts.provenance)
    expected = "a valid record of the build"
    if found.fault:
        yield Finding(_SUBJECT, Status.FAIL, f"{PATH} is no record: {found.fault}", expected, "invalid", _HINT, PATH)
        return
    if found.record is None:
        status = Status.FAIL if rules.required else Status.SKIP
        yield Finding(_SUBJECT, status, f"{PATH} is not there", expected, "not there", _HINT, PATH)
        return
    names = ", ".join(element.name for element in found.record.elements)[:300]
    message = f"{found.record.distribution} {found.record.release}, built from {names or 'no element'}"
    yield Finding(_SUBJECT, Status.PASS, message, expected, "valid", path=PATH)
    if rules.matches:
        yield from _check_packages(found.record, known(question.facts.packages))
        yield from _check_authorities(found.record, known(question.facts.trust))


def _check_packages(record: Record, packages: Packages) -> Iterator[Finding]:
    recorded = _versions((one.name, one.architecture, one.version) for one in record.packages)
    installed = _versions((one.name, one.architecture, one.version) for one in packages.installed)
    expected = "as recorded"
    differing = sorted(key for key in recorded.keys() | installed.keys() if recorded.get(key) != installed.get(key))
    for key in differing[:MAX_LISTED]:
        then, now = (" and ".join(sorted(side.get(key, ()))) for side in (recorded, installed))
        if not now:
            message = f"{then} is recorded, but not installed"
        elif not then:
            message = f"{now} is installed, but not recorded"
        else:
            message = f"{then} is recorded, but {now} is installed"
        hint = "build the image anew instead of changing it"
        yield Finding(":".join(filter(None, key)), Status.FAIL, message, then or "absent", now or "absent", hint, PATH)
    yield from not_all_listed("packages", min(len(differing), MAX_LISTED), len(differing), expected)
    if not differing:
        yield Finding("packages", Status.PASS, f"all {len(installed)} are as recorded", expected, expected, path=PATH)


def _versions(packages: Iterable[tuple[str, str, str]]) -> Versions:
    """Group by name and architecture. rpm may write an epoch of 0, and ``(none)`` for no architecture, or neither."""
    found: Versions = {}
    for name, architecture, version in packages:
        if name != _KEY:
            key = name, architecture.replace("(none)", "")
            found.setdefault(key, set()).add(version.removeprefix("0:"))
    return found


def _check_authorities(record: Record, store: TrustStore) -> Iterator[Finding]:
    expected = "as recorded"
    missing = [sha256 for sha256 in record.trusted_ca_sha256 if not store.find(sha256)]
    for sha256 in missing[:MAX_LISTED]:
        message = "the build added this CA, but the generated bundle lacks it"
        hint = f"run {store.command} in the image"
        yield Finding(f"sha256 {sha256}", Status.FAIL, message, "in the bundle", "not there", hint, PATH)
    recorded = set(record.trusted_ca_sha256)
    added = [certificate for certificate in store.added if certificate.sha256 not in recorded]
    for certificate in added[:MAX_LISTED]:
        message = "it is in the generated bundle, and neither the distribution nor the build put it there"
        hint = "give it to the build: DIB_TRUSTED_CA_BUNDLE"
        where = store.bundle_path or PATH
        yield Finding(str(certificate), Status.FAIL, message, "recorded", "not recorded", hint, where)
    for differing in (missing, added):
        yield from not_all_listed("CAs", min(len(differing), MAX_LISTED), len(differing), expected)
    if not missing and not added:
        message = f"the {len(recorded)} that the build added are in the bundle, and no others"
        yield Finding("CAs", Status.PASS, message, expected, expected, path=PATH)
