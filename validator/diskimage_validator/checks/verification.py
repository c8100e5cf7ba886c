"""Nothing switches the verification of TLS or of signatures off.

An image in which a certificate did not work is often "repaired" by a line that accepts every certificate. It works,
and then anyone in between can send packages and images. The CA belongs into the trust store, and the line must go.

Found are, each by its own tool's grammar, with file and line:

* apt: ``Verify-Peer`` and ``Verify-Host`` (also for one host), ``AllowUnauthenticated``,
  ``AllowInsecureRepositories``, ``AllowWeakRepositories``, ``AllowDowngradeToInsecureRepositories``;
  ``[trusted=yes]``, ``[allow-insecure=yes]`` and the like, and ``Trusted: yes`` in a ``.sources`` file;
* dnf: ``sslverify=0``, ``proxy_sslverify=0``, and a repository without ``gpgcheck``, be it by a word of its own or
  because neither it nor ``dnf.conf`` says anything; ``repo_gpgcheck`` only if ``air_gap.repository_signatures`` asks
  for it, because it is off by default and the packages' own signatures do;
* zypper: ``gpgcheck``, ``repo_gpgcheck``, ``pkg_gpgcheck`` in a repository or in ``zypp.conf``, ``ssl_verify=no`` in
  a URL;
* pip: ``trusted-host``; npm and yarn: ``strict-ssl=false``; git: ``http.sslVerify`` and ``http.proxySSLVerify``;
* Docker: ``insecure-registries``; podman, buildah and skopeo: ``insecure = true``; BuildKit: ``insecure`` and ``http``;
* variables: ``GIT_SSL_NO_VERIFY``, ``NODE_TLS_REJECT_UNAUTHORIZED=0``, ``PYTHONHTTPSVERIFY=0``, ``PIP_TRUSTED_HOST``,
  ...

A disabled repository and a comment are no findings. That ``policy.json`` accepts images without signatures is told, but
is everybody's default and no failure: see ``container-policy``.

.. rubric:: Example

With ``air_gap: {verification: true}`` an image passes whose ``/etc/apt/apt.conf.d/80tls`` says
``Acquire::https::CAInfo "/etc/ssl/certs/ca-certificates.crt";``.

It fails where that file says ``Acquire { https { Verify-Peer "false"; }; };``, but passes if a later file says
``#clear Acquire::https;``, as apt does.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.air_gap_hosts import trouble_finding
from diskimage_validator.checks.base import Question
from diskimage_validator.facts import known
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy

ID: Final = "verification"
TITLE: Final = "Verification of TLS and signatures"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("endpoints", "containers")
SIGNATURES_OF_REPOSITORIES: Final = "repo_gpgcheck"
"""The switch of dnf that only ``air_gap.repository_signatures`` asks for."""


def asked(policy: Policy) -> bool:
    """Whether the policy wants verification on."""
    return policy.rules.air_gap.verification or policy.rules.air_gap.repository_signatures


def check(question: Question) -> Iterator[Finding]:
    """Yield a failure for every switch, and one pass for each kind of configuration without one."""
    facts = known(question.facts.endpoints)
    rules = question.rules.air_gap
    wrong = set()
    for trouble in facts.troubles:
        wrong.add(trouble.kind)
        yield trouble_finding(trouble, "whether it switches verification off cannot be told")
    for switch in facts.switches:
        optional = (switch.kind, switch.setting) == ("dnf", SIGNATURES_OF_REPOSITORIES)
        if rules.repository_signatures if optional else rules.verification:
            wrong.add(switch.kind)
            actual = f"{switch.setting}: {switch.value}"
            subject = f"{switch.kind} {switch.setting}"
            yield Finding(
                subject, Status.FAIL, switch.effect, "verified", actual, switch.remedy, switch.path, switch.line
            )
    for kind in dict.fromkeys(file.kind for file in facts.files):
        if kind not in wrong:
            count = sum(file.kind == kind for file in facts.files)
            message = f"nothing is switched off; files read: {count}"
            yield Finding(kind, Status.PASS, message, "verified", "verified")
    yield from _signatures(question)
    if not facts.files and not wrong:
        yield Finding("verification", Status.SKIP, "the image has no configuration of any tool that is known here")


def _signatures(question: Question) -> Iterator[Finding]:
    containers = question.facts.containers
    signatures = None if isinstance(containers, Unreadable) else containers.signatures
    if signatures and "insecureAcceptAnything" in signatures.default.types:
        message = "accepts images without signatures, as everybody's default does; containers.signatures asks for more"
        default = signatures.default
        yield Finding(
            "signatures of images",
            Status.PASS,
            message,
            "",
            ", ".join(default.types),
            "",
            signatures.path,
            default.line,
        )
