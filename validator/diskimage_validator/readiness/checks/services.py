"""What the checks of core services have in common."""

from collections.abc import Mapping
from typing import Final

from diskimage_validator.readiness.facts.trouble import Kind

REMEDIES: Final[Mapping[Kind, str]] = {
    "name": "add it to the zone, or correct the factory.yaml",
    "connection": "is it started, does it listen there, and does a firewall let this host reach it?",
    "tls": "is TLS spoken there, with a certificate for this very name, of a CA in 'certificates.bundle'?",
    "client": "renew the client's certificate, or add its CA to what the server trusts",
    "protocol": "is this the right port, and may the service tell that?",
    "session": "look at the server's log: quorum, limits of connections, and who has to authenticate",
    "login": "correct user and secret, and what the server allows them from this host",
    "database": "create it, or let this user see it; and is the name right?",
}
"""What to do about a trouble, by its kind."""
