"""The builder's resolv.conf was not left in the image.

While diskimage-builder works in the image, ``/etc/resolv.conf`` is a copy of the builder's, and the image's own lies
beside it as ``resolv.conf.ORIG``. If the copy stays, nodes ask name servers that they may not even reach, until
something on the node writes the file anew.

Clean is a missing file, a link into ``/run``, where systemd-resolved or NetworkManager write it at every boot, and a
file that names only local servers (``127.0.0.53``) or those that the policy allows as addresses or networks in
``nameservers``.

.. rubric:: Example

With this policy::

    hygiene:
      resolv_conf: true
      nameservers: [10.20.0.0/24]

an image passes where ``/etc/resolv.conf`` is a link to ``../run/systemd/resolve/stub-resolv.conf``, and one whose
file says ``nameserver 10.20.0.53``.

An image fails whose file says ``nameserver 192.0.2.1``, or which has ``/etc/resolv.conf.ORIG``.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.resolv_conf import ORIGINAL, PATH
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-resolv-conf"
TITLE: Final = "The builder's resolv.conf"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("resolv_conf",)

_HINT: Final = "let an element write the image's own file or link as /etc/resolv.conf.ORIG, which DIB puts in its place"


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.resolv_conf


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every name server that is not allowed and for DIB's copy, or one pass."""
    found = known(question.facts.resolv_conf)
    allowed = question.rules.hygiene.nameservers
    expected = "a link into /run, or " + (f"name servers of {', '.join(allowed)}" if allowed else "no name server")
    refused = [server for server in found.nameservers if not _is_allowed(server.address, allowed)]
    for server in refused:
        message = f"name server {server.address} is not allowed"
        yield Finding(server.address, Status.FAIL, message, expected, server.address, _HINT, PATH, server.line)
    if found.original:
        message = "diskimage-builder did not put the image's own file back: /etc/resolv.conf is the builder's"
        yield Finding(
            ORIGINAL, Status.FAIL, message, "not there", "there", "see why the build did not finish", ORIGINAL
        )
    if not refused and not found.original:
        actual = f"link to {found.link}" if found.link else found.state
        yield Finding(PATH, Status.PASS, f"{actual}; no name server of the builder", expected, actual, path=PATH)


def _is_allowed(address: str, networks: Sequence[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])  # fe80::1%eth0
    except ValueError:
        return False
    return parsed.is_loopback or any(parsed in ipaddress.ip_network(network) for network in networks)
