"""Every locally added CA is in order: in the generated bundle, valid today, CA:TRUE.

This check needs no ``--ca``: it takes the image at its word. What lies in a folder for local anchors was meant to be
trusted, so the generated bundle has to hold it. And what the bundle holds without the distribution having shipped it
was added by somebody, so it must not have expired. Certificates of the distribution itself may expire: that is its
business and changes nothing for the image. A damaged block in the bundle fails, because clients stop reading there.

``certificates: {anchors: false}`` in the policy switches this check off.

The distribution's own certificates are those in ``/usr/share/ca-certificates/mozilla`` on Debian and Ubuntu, in
``/usr/share/pki/ca-trust-source`` in the RHEL family and in ``/usr/share/pki/trust`` on SUSE.

.. rubric:: Example

An image passes where ``/usr/local/share/ca-certificates/internal-ca.crt`` is also in
``/etc/ssl/certs/ca-certificates.crt``.

An image fails where the bundle lacks it, where the file is called ``internal-ca.pem`` (Debian's
``update-ca-certificates`` picks up ``*.crt`` only), or where somebody appended a CA to the bundle that has expired.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.certificates import Certificate
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.trust_store import Anchor, TrustStore
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "ca-anchors"
TITLE: Final = "Locally added CAs"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("trust",)

_EXPECTED: Final = "in the generated bundle, valid, CA:TRUE"


def asked(policy: Policy) -> bool:
    """Whether the policy wants anchors in order."""
    return policy.rules.certificates.anchors


def check(question: Question) -> Iterator[Finding]:
    """Yield findings for the bundle as a whole, for every anchor file, and for what was added to the bundle alone."""
    store = known(question.facts.trust)
    yield from _check_bundle(store)
    for anchor in store.anchors:
        yield from _check_anchor(anchor, store, question)
    anchored = {certificate.sha256 for anchor in store.anchors for certificate in anchor.certificates}
    for certificate in store.added:
        if certificate.sha256 not in anchored:
            yield _check_added(certificate, store, question)


def _check_bundle(store: TrustStore) -> Iterator[Finding]:
    if store.bundle_path is None:
        if not store.anchors:
            yield Finding("CA bundle", Status.SKIP, "the image has no CA bundle and no locally added CA")
        return
    damaged = [block for block in store.unparsed if block.sha256 not in store.shipped]
    for block in damaged:
        message = f"certificate {block.index} of the bundle cannot be parsed: {block.reason}"
        hint = f"remove what is damaged and run {store.command}"
        yield Finding("CA bundle", Status.FAIL, message, "certificates", block.reason, hint, store.bundle_path)
    count = len(store.certificates)
    if not count:
        hint = f"install ca-certificates and run {store.command}"
        yield Finding("CA bundle", Status.FAIL, "the bundle is empty", "certificates", "none", hint, store.bundle_path)
    elif not damaged:
        message = f"certificates: {count}; added to the distribution's own: {len(store.added)}"
        yield Finding("CA bundle", Status.PASS, message, "certificates", str(count), path=store.bundle_path)


def _check_anchor(anchor: Anchor, store: TrustStore, question: Question) -> Iterator[Finding]:
    if not anchor.certificates and not anchor.unparsed:
        yield Finding(anchor.path, Status.FAIL, "no certificate in this file", _EXPECTED, "none", path=anchor.path)
    for block in anchor.unparsed:
        message = f"certificate {block.index} cannot be parsed: {block.reason}"
        yield Finding(anchor.path, Status.FAIL, message, _EXPECTED, block.reason, path=anchor.path)
    for certificate in anchor.certificates:
        fault, hint = _anchor_fault(certificate, anchor, store, question)
        status = Status.FAIL if fault else Status.PASS
        message = f"{anchor.path} {fault}" if fault else f"trusted, valid until {certificate.not_after:%Y-%m-%d}"
        yield Finding(str(certificate), status, message, _EXPECTED, _actual(certificate, store), hint, anchor.path)


def _anchor_fault(certificate: Certificate, anchor: Anchor, store: TrustStore, question: Question) -> tuple[str, str]:
    """Return what is wrong with an anchor's certificate and what to do; two empty strings if nothing is."""
    if fault := certificate.fault(question.now):
        return fault, f"replace or remove the file and run {store.command}"
    if store.find(certificate.sha256):
        return "", ""
    if anchor.ignored:
        return f"is ignored by {store.command} because of its name", f"rename it to end in .crt and run {store.command}"
    message = "is there, but the generated bundle lacks it: the bundle was not regenerated"
    return message, f"run {store.command} in the image after the file was copied"


def _check_added(certificate: Certificate, store: TrustStore, question: Question) -> Finding:
    fault = certificate.fault(question.now)
    message = (
        f"it is in the bundle, the distribution did not ship it, and it {fault}"
        if fault
        else (f"added to the bundle, without an anchor file; valid until {certificate.not_after:%Y-%m-%d}")
    )
    hint = f"remove it and run {store.command}" if fault else ""
    status = Status.FAIL if fault else Status.PASS
    return Finding(
        str(certificate), status, message, _EXPECTED, _actual(certificate, store), hint, store.bundle_path or ""
    )


def _actual(certificate: Certificate, store: TrustStore) -> str:
    where = "in the bundle" if store.find(certificate.sha256) else "not in the bundle"
    validity = f"valid {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
    return f"{where}, {validity}, {certificate.constraint}"
