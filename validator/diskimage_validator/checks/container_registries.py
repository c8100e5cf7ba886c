"""registries.conf and its drop-ins, merged as podman, buildah and skopeo merge them, send images where the policy says.

Drop-ins come after the main file, in the order of their names; a table in a later file replaces the whole table of the
same ``prefix``, so a drop-in can hide a mirror that the main file names. ``containers.registries`` lists prefixes with
the ``location``, the ``mirrors`` (the whole list, in order) or ``blocked`` that have to hold for them;
``search_registries`` is the whole list that short names are looked up in; ``short_name_mode`` is ``enforcing``,
``permissive`` or ``disabled``. No registry and no mirror may be ``insecure``, unless it is blocked.

.. rubric:: Example

With this policy::

    containers:
      registries:
        - {prefix: example.org, mirrors: ["registry.internal:5000/example"]}
      search_registries: ["registry.internal:5000"]
      short_name_mode: enforcing

an image passes whose ``registries.conf`` has that mirror for ``example.org`` and that list.

It fails where a file in ``registries.conf.d`` has a table for ``example.org`` without mirrors, or another
``unqualified-search-registries``.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.checks.base import Question
from diskimage_validator.checks.container_config import fault_finding
from diskimage_validator.facts import known
from diskimage_validator.facts.containers.registries import Registries, Registry
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.policy_model import Policy
from diskimage_validator.rules.containers import RegistryRule

ID: Final = "container-registries"
TITLE: Final = "Registries of images"
SEVERITY: Final = Severity.CRITICAL
NEEDS: Final = ("containers",)


def asked(policy: Policy) -> bool:
    """Whether the policy says anything about registries."""
    rules = policy.rules.containers
    return bool(rules.registries) or rules.search_registries is not None or rules.short_name_mode is not None


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for each prefix, for the search list, for the mode, and for each insecure place."""
    facts = known(question.facts.containers)
    rules = question.rules.containers
    merged = facts.registries
    faults = facts.faults_of("/etc/containers/registries", "/usr/share/containers/registries")
    for fault in faults:
        yield fault_finding(fault)
    if faults:  # every tool stops there: what the other files say does not matter
        return
    for rule in rules.registries:
        yield _registry(rule, merged)
    if rules.search_registries is not None:
        actual = list(merged.search or ())
        path, line = merged.search_path, merged.search_line
        yield _compare("short names", "looked up in", _list(rules.search_registries), _list(actual), path, line)
    if rules.short_name_mode is not None:
        path, line = merged.mode_path, merged.mode_line
        yield _compare("short-name-mode", "is", rules.short_name_mode, merged.short_name_mode, path, line)
    yield from _insecure(merged)


def _list(names: list[str]) -> str:
    return ", ".join(names) or "nothing"


def _compare(subject: str, verb: str, expected: str, actual: str, path: str, line: int) -> Finding:
    ok = expected == actual
    message = f"{verb} {actual}" + ("" if ok else f", but {expected} is asked for")
    return Finding(subject, Status.PASS if ok else Status.FAIL, message, expected, actual, "", path, line)


def _registry(rule: RegistryRule, merged: Registries) -> Finding:
    registry = merged.find(rule.prefix)
    expected = _describe(rule.location, rule.mirrors, rule.blocked)
    if registry is None:
        message = "no table covers this prefix: its images come from the host of that name"
        hint = "name the registry in the site file of the element container-registries"
        return Finding(rule.prefix, Status.FAIL, message, expected, "no table", hint, merged.main)
    mirrors = [mirror.location for mirror in registry.mirrors]
    actual = _describe(registry.location, mirrors, registry.blocked)
    wrong = [
        what
        for what, wanted, found in (
            ("location", rule.location, registry.location),
            ("mirrors", rule.mirrors, mirrors),
            ("blocked", rule.blocked, registry.blocked),
        )
        if wanted is not None and wanted != found
    ]
    message = f"{', '.join(wrong)}: not as asked for" if wrong else "is as asked for"
    hint = _hidden(registry, merged) if wrong else ""
    status = Status.FAIL if wrong else Status.PASS
    return Finding(rule.prefix, status, message, expected, actual, hint, registry.path, registry.line)


def _hidden(registry: Registry, merged: Registries) -> str:
    """Return a hint to the table that this one hides."""
    others = [table for table in merged.tables if table.prefix == registry.prefix and table.path != registry.path]
    return f"this table hides the one in {others[0].path}, line {others[0].line}" if others else ""


def _describe(location: str | None, mirrors: list[str] | None, blocked: bool | None) -> str:
    parts = [f"location {location}"] if location else []
    parts += [f"mirrors {_list(mirrors)}"] if mirrors is not None else []
    parts += ["blocked" if blocked else "not blocked"] if blocked is not None else []
    return "; ".join(parts) or "a table"


def _insecure(merged: Registries) -> Iterator[Finding]:
    count = 0
    for registry in merged.registries:
        places = [(registry.location or registry.prefix, registry.insecure, registry.line)]
        places += [(mirror.location, mirror.insecure, mirror.line) for mirror in registry.mirrors]
        for location, insecure, line in places if not registry.blocked else ():
            if insecure:
                count += 1
                message = "is used without TLS or with any certificate"
                hint = "remove 'insecure' and put the registry's CA into the trust store"
                subject = f"insecure {location}"
                yield Finding(subject, Status.FAIL, message, "verified TLS", "insecure", hint, registry.path, line)
    if not count:
        message = f"no registry and no mirror is insecure; tables: {len(merged.registries)}"
        yield Finding("insecure registries", Status.PASS, message, "verified TLS", "verified TLS", path=merged.main)
