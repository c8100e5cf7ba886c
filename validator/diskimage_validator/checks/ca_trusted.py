"""Every CA that the policy or ``--ca`` names is trusted by the image.

The *generated* bundle decides, because that is what TLS clients read; a CA file that was copied into the folder for
local anchors does nothing before the bundle is generated anew. The certificate is recognised by the SHA-256 of its DER
form, it has to be valid today, and its basicConstraints have to say CA:TRUE.

The bundle is ``/etc/ssl/certs/ca-certificates.crt`` on Debian and Ubuntu,
``/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem`` in the RHEL family and ``/var/lib/ca-certificates/ca-bundle.pem``
on SUSE.

.. rubric:: Example

With this policy::

    certificates:
      trusted:
        - {file: internal-ca.pem}
        - {sha256: 5f2a...}

an image passes whose bundle holds both certificates.

An image fails that has ``/usr/local/share/ca-certificates/internal-ca.crt``, but whose bundle lacks it because
``update-ca-certificates`` never ran; and so does one whose bundle holds the CA's predecessor of the same name.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.trust_store import TrustStore
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy, TrustedCa

ID: Final = "ca-trusted"
TITLE: Final = "Trusted CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("trust",)


def asked(policy: Policy) -> bool:
    """Whether the policy or the command line names a CA."""
    return bool(policy.trusted)


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every CA that is asked for."""
    store = known(question.facts.trust)
    for ca in question.policy.trusted:
        yield _check_ca(ca, store, question)


def _check_ca(ca: TrustedCa, store: TrustStore, question: Question) -> Finding:
    expected = f"sha256 {ca.sha256} in the generated bundle, valid, CA:TRUE"
    path = store.bundle_path or ""
    found = store.find(ca.sha256)
    if found:
        fault = found.fault(question.now)
        actual = f"valid until {found.not_after:%Y-%m-%d}"
        if not fault:
            return Finding(str(ca), Status.PASS, f"trusted, {actual}", expected, actual, path=path)
        return Finding(str(ca), Status.FAIL, f"in the bundle, but it {fault}", expected, fault, "replace it", path)
    if any(block.sha256 == ca.sha256 for block in store.unparsed):
        return Finding(str(ca), Status.ERROR, "in the bundle, but it cannot be parsed", expected, "unparsed", path=path)
    message, hint = _why_missing(ca, store)
    return Finding(str(ca), Status.FAIL, message, expected, "not in the bundle", hint, path)


def _why_missing(ca: TrustedCa, store: TrustStore) -> tuple[str, str]:
    """Return what happened, as far as the image shows it, and what to do."""
    anchors = store.anchors_of(ca.sha256)
    if anchors and anchors[0].ignored:
        return (
            f"{anchors[0].path} is there, but {store.command} ignores a file of that name",
            "rename it to end in .crt",
        )
    if anchors:
        message = f"{anchors[0].path} is there, but the bundle lacks it: the bundle was not regenerated"
        return message, f"run {store.command} in the image after the file was copied"
    if store.bundle_path is None:
        return "the image has no generated CA bundle", "install the package ca-certificates"
    if ca.subject and any(certificate.subject == ca.subject for certificate in store.certificates):
        message = "the bundle has another certificate of the same name: an older or newer one of this CA"
        return message, "bake the current CA file, or correct the policy"
    return "neither in the generated bundle nor among the local anchors", "bake it with the element trusted-ca-bundle"
