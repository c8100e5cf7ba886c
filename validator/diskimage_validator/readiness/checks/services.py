"""What the checks of services have in common."""

from collections.abc import Mapping
from typing import Final

from diskimage_validator.readiness.facts.trouble import Kind

REMEDIES: Final[Mapping[Kind, str]] = {
    "name": "add it to the zone, or correct the factory.yaml: see dns-names",
    "refused": "is the service running, and does it listen on this address and port?",
    "unreachable": "look at routes and firewalls between this host and the service",
    "silent": "is the service overloaded, or does a firewall drop the packets?",
    "tls": "is its CA in 'certificates.bundle', and is its certificate for this name? See tls-chain",
    "client": "renew the client's certificate, or add its CA to what the server trusts",
    "protocol": "is this the right port, and may the service tell that?",
    "session": "look at the server's log: quorum, limits of connections, and who has to authenticate",
    "denied": "are credentials needed, are those of the factory.yaml right, and are they allowed from this host?",
    "absent": "is the URL or the name right, is that there, and may this user see it?",
    "redirect": "name that place in the factory.yaml, if it is the right one",
    "status": "look into the log of the service, and of the proxy in front of it",
    "answer": "is the URL that of the service itself, and not of a proxy's error page or login?",
}
"""What to do about a trouble, by its kind."""
