"""What a node does and whom it lets in, for the overview of ``inspect``: units, people, and hosts in configuration."""

from collections.abc import Iterator

from diskimage_validator.facts import Facts, Unreadable
from diskimage_validator.facts.endpoints import Endpoints
from diskimage_validator.facts.services import Services
from diskimage_validator.facts.ssh import Ssh

Line = str | tuple[str, str]
"""A line of the report, or (name, value)."""


def services(facts: Facts) -> Iterator[Line]:
    """Yield the default target and the enabled units."""
    found = facts.services
    if isinstance(found, Unreadable):
        yield f"could not be read: {found.reason}"
        return
    if found is None:
        yield "systemd is not there"
        return
    yield "default target", found.default_target or "none"
    yield "enabled", ", ".join(_enabled(found)) or "none"


def _enabled(found: Services) -> list[str]:
    return sorted(name.removesuffix(".service") for name, unit in found.units.items() if unit.state == "enabled")


def people(facts: Facts) -> Iterator[Line]:
    """Yield root and everybody else who has a shell: password, groups and SSH keys."""
    found = facts.accounts
    if isinstance(found, Unreadable):
        yield f"could not be read: {found.reason}"
        return
    keys = _keys(facts.ssh)
    for user in found.users:
        if user.shell.endswith(("/nologin", "/false", "/sync", "/halt", "/shutdown")):
            continue
        count = keys.get(user.name, 0)
        details = [f"uid {user.uid}", user.shell, f"password {user.password.state}"]
        details += [f"groups {', '.join(user.groups)}"] if user.groups else []
        details += [f"{count} SSH key{'s' if count > 1 else ''}"] if count else []
        yield user.name, "; ".join(details)


def _keys(ssh: Ssh | Unreadable | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in ssh.key_files if isinstance(ssh, Ssh) else ():
        counts[file.user] = counts.get(file.user, 0) + len(file.keys)
    return counts


def hosts(facts: Facts) -> Iterator[Line]:
    """Yield every host that configuration names, with the kinds that name it; the machine itself is left out."""
    found = facts.endpoints
    if isinstance(found, Unreadable):
        yield f"could not be read: {found.reason}"
        return
    named = _hosts(found)
    for host, kinds in sorted(named.items()):
        yield host, ", ".join(sorted(kinds))
    if not named:
        yield "none"


def _hosts(found: Endpoints) -> dict[str, set[str]]:
    named: dict[str, set[str]] = {}
    for endpoint in found.endpoints:
        if endpoint.host and endpoint.enabled:
            host = endpoint.host if endpoint.port is None else f"{endpoint.host}:{endpoint.port}"
            named.setdefault(host, set()).add(endpoint.kind)
    return named
