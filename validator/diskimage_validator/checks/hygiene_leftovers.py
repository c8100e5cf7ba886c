"""Nothing is left of the build, of an installer or of a crash.

===================================================================  ================================================
``/tmp/in_target.d``, ``/etc/dib-*`` but for ``dib-manifests``       diskimage-builder's own files
``/usr/sbin/policy-rc.d``                                            keeps packages from starting services
``/etc/apt/apt.conf.d/60img-build-proxy``                            the proxy of the build host
``/.dockerenv``, ``/run/.containerenv``                              systemd takes the node for a container
``/root/anaconda-ks.cfg`` and the like                               an installer's answers, root's password hash too
``/core*``, ``/var/crash/*``, ``/var/lib/systemd/coredump/*``        memory of a process that crashed
leases of DHCP clients                                               addresses of another machine
``70-persistent-net.rules``                                          network cards of another machine
``*.dpkg-new``, ``*.dpkg-tmp`` below ``/etc``                        dpkg was interrupted
``*.dpkg-dist``, ``*.ucf-dist``, ``*.rpmnew`` below ``/etc``         new defaults that nobody has merged
``*.dpkg-old``, ``*.ucf-old``, ``*.rpmsave``, ``*.rpmorig``          what was configured is no longer in force
===================================================================  ================================================

``/etc/ca-certificates.conf.dpkg-old`` is none: Debian's ca-certificates writes it whenever it is configured.
``leftovers_allowed`` has patterns of paths that belong there.

.. rubric:: Example

With this policy::

    hygiene:
      leftovers: true

an image passes that has ``/etc/dib-manifests`` and nothing of this table.

An image fails with ``/usr/sbin/policy-rc.d``: a service that is installed on the node would never start.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.globs import matches
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "hygiene-leftovers"
TITLE: Final = "Leftovers"
SEVERITY: Final = Severity.WARNING
NEEDS: Final = ("leftovers",)

_EXPECTED: Final = "not there"
_REMOVE: Final = "remove it at the end of the build"
_MERGE: Final = "configure the file in an element, and remove this one"
_KINDS: Final = {
    "dib": ("a file of diskimage-builder's: was the build interrupted?", _REMOVE),
    "policy-rc.d": ("it may keep packages from starting their services on the node", _REMOVE),
    "proxy": ("apt would go through the proxy of the build host", _REMOVE),
    "container": ("systemd takes a machine with this file for a container, and starts other services", _REMOVE),
    "installer": ("the answers that an installer was given, or its log", _REMOVE),
    "core": ("the memory of a process that crashed, with every secret it knew", _REMOVE),
    "lease": ("a DHCP lease of another machine", _REMOVE),
    "network": ("names for the network cards of another machine", _REMOVE),
    "unfinished": ("dpkg was interrupted while it wrote this file", "find out why the installation did not finish"),
    "undecided": ("a package's new configuration that nobody has merged", _MERGE),
    "replaced": ("what was configured here is no longer in force", _MERGE),
}


def asked(policy: Policy) -> bool:
    """Whether the policy asks for it."""
    return policy.rules.hygiene.leftovers


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every leftover that is not allowed, or one pass."""
    allowed = question.rules.hygiene.leftovers_allowed
    found = [one for one in known(question.facts.leftovers).found if not matches(one.path, allowed)]
    for one in found:
        message, hint = _KINDS[one.kind]
        yield Finding(one.path, Status.FAIL, message, _EXPECTED, "there", hint, one.path)
    if not found:
        yield Finding("leftovers", Status.PASS, "there is none", _EXPECTED, "none")
