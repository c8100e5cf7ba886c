"""Every host that configuration names is on the list of allowed hosts.

Read are the sources, proxies and keys of apt, dnf, zypper, pip, npm and git, the registries and mirrors of Docker, of
podman, buildah and skopeo, and of BuildKit, time servers, name servers, and proxies in variables. So a host counts
wherever a tool would really take it from: in a drop-in that overrides another file, behind ``insteadOf``, in a list
of mirrors. What is switched off (``enabled=0``, ``Enabled: no``, a blocked registry, a service that does not start)
does not count, and neither do comments. The time servers that are compiled into systemd-timesyncd count where nothing
replaces them: they are public ones.

``air_gap.allowed`` lists host names with wildcards (``*.internal``), with or without a port, addresses and networks.
The machine itself (``localhost``, loopback, ``file:``, ``cdrom:``) is always allowed. A file that its tool could not
read fails, because nobody can tell what it names.

``air_gap.ignore`` leaves out whole kinds: ``apt``, ``dnf``, ``zypper``, ``pip``, ``npm``, ``git``, ``docker``,
``containers``, ``short-names`` (aliases and the search list of registries.conf), ``buildkit``, ``ntp``, ``resolver``,
``environment``.

.. rubric:: Example

With this policy::

    air_gap:
      allowed: ["*.internal", "registry.internal:5000", 10.0.0.0/8]

an image passes whose only source is ``deb https://mirror.internal/debian bookworm main``.

It fails where a second file has ``deb http://mirror.example.org/debian bookworm main``, and where git has
``[url "https://git.example.org/"] insteadOf = https://git.internal/``.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.sources.found import Endpoint, Trouble
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.air_gap import is_local

ID: Final = "air-gap-hosts"
TITLE: Final = "Hosts in configuration"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("endpoints",)

_HINT: Final = "replace it by an internal host, remove it, or add it to air_gap.allowed"
_MAX_SHOWN: Final = 8
_WHAT: Final = {
    "packages": "a source of packages",
    "key": "a source of keys",
    "proxy": "a proxy",
    "images": "a source of images",
    "names": "a name server",
    "time": "a time server",
    "code": "a source of code",
}


def asked(policy: Policy) -> bool:
    """Whether the policy lists the hosts that are allowed."""
    return policy.rules.air_gap.allowed is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every endpoint that is not allowed, and one pass for each kind without a failure."""
    rules = question.rules.air_gap
    allowed = rules.allowed or []
    facts = known(question.facts.endpoints)
    expected = "one of: " + ", ".join(map(str, allowed)) if allowed else "no host but the machine itself"
    kinds = dict.fromkeys(file.kind for file in facts.files if file.kind not in rules.ignore)
    endpoints = [found for found in facts.endpoints if found.enabled and found.kind not in rules.ignore]
    kinds |= dict.fromkeys(endpoint.kind for endpoint in endpoints)
    wrong = set()
    for trouble in facts.troubles:
        if trouble.kind not in rules.ignore:
            wrong.add(trouble.kind)
            yield trouble_finding(trouble, "what it names cannot be told")
    for endpoint in endpoints:
        if not is_local(endpoint.host) and not any(p.matches(endpoint.host, endpoint.port) for p in allowed):
            wrong.add(endpoint.kind)
            yield _failure(endpoint, expected)
    for kind in kinds:
        if kind not in wrong:
            yield _pass(kind, [endpoint for endpoint in endpoints if endpoint.kind == kind], expected)
    if not kinds and not wrong:
        yield Finding("hosts", Status.SKIP, "the image has no configuration of any tool that is known here")


def trouble_finding(trouble: Trouble, consequence: str) -> Finding:
    """Return the finding for a file that says nothing: a failure if its own tool refuses it, else an error."""
    subject = trouble.path
    if trouble.refused:
        message = f"{trouble.kind} cannot read this file, so {consequence}: {trouble.reason}"
        hint = "correct the file: its tool stops at it, or passes over it"
        status = Status.FAIL
    else:
        message, hint, status = f"could not read it: {trouble.reason}", "", Status.ERROR
    return Finding(subject, status, message, "a readable file", trouble.reason, hint, trouble.path, trouble.line)


def _failure(endpoint: Endpoint, expected: str) -> Finding:
    message = f"{endpoint.address} is {_WHAT[endpoint.purpose]} ({endpoint.kind}), and not on the list"
    subject = f"{endpoint.kind} {endpoint.address}"
    return Finding(subject, Status.FAIL, message, expected, endpoint.url, _HINT, endpoint.path, endpoint.line)


def _pass(kind: str, endpoints: Iterable[Endpoint], expected: str) -> Finding:
    hosts = sorted({endpoint.address or "the machine itself" for endpoint in endpoints})
    shown = ", ".join(hosts[:_MAX_SHOWN]) + (f" and {len(hosts) - _MAX_SHOWN} more" if len(hosts) > _MAX_SHOWN else "")
    message = f"names only what is allowed: {shown}" if hosts else "names no host"
    return Finding(kind, Status.PASS, message, expected, shown or "none")
