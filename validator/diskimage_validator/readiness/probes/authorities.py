"""The trusted bundle in the form that a tool wants it."""

import ssl
from collections.abc import Iterable


def pem_bundle(authorities: Iterable[bytes]) -> bytes:
    """Return the certificates, DER, as one PEM file."""
    return "".join(map(ssl.DER_cert_to_PEM_cert, authorities)).encode()


def verifying(authorities: Iterable[bytes]) -> ssl.SSLContext:
    """Return a client's context that verifies chain and name, and trusts ``authorities`` only.

    Without any, it trusts what this host trusts: a factory that says nothing of certificates has no bundle.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if data := b"".join(authorities):
        context.load_verify_locations(cadata=data)
    else:
        context.load_default_certs()
    return context
