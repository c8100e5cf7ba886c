"""One server of a database takes writes, and enough others replicate it closely; or a Galera cluster is complete.

The primary is the server that takes writes and replicates from nobody. It has to be seen by as many replicas as
``min_replicas`` (0) asks for, and every other server that is named has to receive from it, or from another one that
does, at most ``max_lag`` (60) seconds behind: what a replica is worth shows when the primary is gone. Whom a replica
receives from is compared with what the primary is: ``server_uuid`` (MySQL), ``server_id`` (MariaDB), system identifier
and timeline (PostgreSQL). And they have to see as many that receive from them as say so. Which user may read that is
said under ``user``.

In a Galera cluster every node takes writes, and has to be in the primary component, synchronized, among at least
``cluster_size`` nodes, or as many as are named.

.. rubric:: Example

With this factory::

    services:
      databases:
        - name: zuul
          kind: postgresql
          servers: [db1.internal, db2.internal]
          database: zuul
          user: readiness
          password: env:DB_PASSWORD
          min_replicas: 1

the line passes if one of the two takes writes, and the other one streams from it.

It fails if the replica has stopped, is too far behind, takes writes as well, or still receives from the primary of
yesterday, if no server takes writes, and if one of them does not tell its state.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks import database_servers
from diskimage_validator.readiness.checks.base import Question, tell_of_all
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.databases import AskDatabase, DatabaseServer
from diskimage_validator.readiness.rules.services.databases import DatabaseRules

ID: Final = "database-replication"
TITLE: Final = "Replication of databases"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

_ELSEWHERE: Final = "make it receive from the primary, build it anew if it cannot, or name the server between them"

Fault = tuple[str, str]
"""What is wrong, and what to do about it."""


def asks(factory: Factory) -> Iterator[AskDatabase]:
    """Yield the questions of database-servers."""
    return database_servers.asks(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every database."""
    for database in question.factory.rules.services.databases:
        yield _judge(database, [question.seen[ask] for ask in database_servers.servers(database)])


def _judge(rules: DatabaseRules, evidence: list[Evidence[DatabaseServer]]) -> Finding:
    expected = _expected(rules)
    facts = {one.ask.target: one.fact for one in evidence if not isinstance(one.fact, Unreadable)}
    found = {name: fact for name, fact in facts.items() if not fact.trouble}
    actual = "; ".join(f"{name}: {_said(fact)}" for name, fact in found.items())
    if not found or len(facts) < len(evidence):
        message = f"{len(found)} of {len(evidence)} servers told their state, see database-servers"
        status = Status.ERROR if len(facts) < len(evidence) else Status.SKIP
        hint = f"mend what {database_servers.ID} tells of them" if status is Status.ERROR else ""
        return tell_of_all(evidence, rules.name, status, message, expected, actual, hint)
    clustered = rules.cluster_size is not None or any(fact.cluster for fact in found.values())
    faults = list((_of_cluster if clustered else _of_primary)(rules, found))
    silent = [name for name, fact in facts.items() if fact.trouble]
    faults += [(f"{name} does not tell its state", "see database-servers for what is wrong with it") for name in silent]
    if faults:
        message = "; ".join(fault for fault, _ in faults)
        return tell_of_all(evidence, rules.name, Status.FAIL, message, expected, actual, faults[0][1])
    blind = {name: fact.missing for name, fact in found.items() if fact.missing}
    if blind:
        message = "; ".join(f"{rules.user} may not see replication on {name}" for name in blind)
        hint = f"give {rules.user} the privilege {', '.join(sorted(set(blind.values())))}"
        return tell_of_all(evidence, rules.name, Status.ERROR, message, expected, actual, hint)
    return tell_of_all(evidence, rules.name, Status.PASS, actual, expected, actual)


def _expected(rules: DatabaseRules) -> str:
    if rules.cluster_size:
        return f"a cluster of at least {rules.cluster_size} nodes"
    return (
        f"one server takes writes, at least {rules.min_replicas} replicas receive, at most {rules.max_lag:g} s behind"
    )


def _said(fact: DatabaseServer) -> str:
    parts = ["takes writes" if fact.writable else "read-only"]
    if fact.cluster:
        parts.append(f"{fact.cluster.status} component of {fact.cluster.size} nodes, {fact.cluster.state}")
    for stream in fact.streams:
        behind = "unknown" if stream.lag is None else f"{stream.lag:.0f} s"
        parts.append(f"{stream.detail}, lag {behind}")
    if fact.receivers and not fact.streams:
        named = f" ({fact.receivers.detail})" if fact.receivers.detail else ""
        parts.append(f"{_replicas(fact.receivers.count)}{named}")
    return ", ".join(parts)


def _replicas(count: int) -> str:
    return "1 replica receives" if count == 1 else f"{count} replicas receive"


def _of_cluster(rules: DatabaseRules, found: dict[str, DatabaseServer]) -> Iterator[Fault]:
    for name, fact in found.items():
        if fact.cluster is None:
            yield f"{name} is no node of a Galera cluster", "is wsrep_on set, and has it joined?"
            continue
        if not fact.cluster.healthy:
            said = f"{fact.cluster.status}, {fact.cluster.state}, {'ready' if fact.cluster.ready else 'not ready'}"
            yield f"{name} is no sound node of the cluster: {said}", "look at its log, and at the network between them"
        wanted = rules.cluster_size or len(set(rules.addresses))
        if fact.cluster.size < wanted:
            yield f"{name} sees {fact.cluster.size} nodes, {wanted} are wanted", "start the missing nodes: they join"
        if not fact.writable:
            yield f"{name} is read-only", "set read_only=OFF"


def _of_primary(rules: DatabaseRules, found: dict[str, DatabaseServer]) -> Iterator[Fault]:
    primaries = {name: fact for name, fact in found.items() if fact.writable and not fact.streams}
    if not primaries:
        yield "no server takes writes", "promote one, or name the primary in 'servers'"
    if len(primaries) > 1:
        both = ", ".join(primaries)
        yield f"{len(primaries)} servers take writes, and do not replicate each other: {both}", "make one a replica"
    for name, fact in found.items():
        if name not in primaries:
            yield from _of_replica(rules, name, fact)
    if primaries:
        yield from _of_sources(primaries, found)
    for name, fact in primaries.items():
        if (receivers := fact.receivers) and receivers.count < rules.min_replicas:
            said = f"{_replicas(receivers.count)} from {name}, {rules.min_replicas} are wanted"
            yield said, "look at the replicas' logs: can they reach the primary, and log in?"
        if (receivers := fact.receivers) and receivers.lag is not None and receivers.lag > rules.max_lag:
            yield f"a replica of {name} is {receivers.lag:.0f} s behind", "look at its disk and its load"


def _of_sources(primaries: dict[str, DatabaseServer], found: dict[str, DatabaseServer]) -> Iterator[Fault]:
    """Yield who receives from somebody else, and whether fewer are seen to receive than say so."""
    trunk = {fact.identity for fact in primaries.values()} - {""}
    following: set[str] = set()
    for _ in found:  # a chain of replicas has no more links than that
        following = {
            name
            for name, fact in found.items()
            if any(stream.running and stream.source in trunk for stream in fact.streams)
        }
        trunk |= {found[name].identity for name in following} - {""}
    known = ", ".join(f"{name} is {fact.identity or 'unknown'}" for name, fact in primaries.items())
    for name, fact in found.items():
        running = [stream for stream in fact.streams if stream.running]
        if running and name not in following and not fact.missing:
            sources = ", ".join(f"{stream.source or 'an unknown server'} ({stream.detail})" for stream in running)
            yield f"{name} receives from {sources}, and {known}", _ELSEWHERE
    seen = [fact.receivers.count for fact in found.values() if fact.receivers]
    if len(seen) == len(found) and sum(seen) < len(following):
        said = f"{', '.join(sorted(following))}: {len(following)} say that they receive, {sum(seen)} are seen to"
        yield said, "does one of them catch up yet, or receive from another server with the same identity?"


def _of_replica(rules: DatabaseRules, name: str, fact: DatabaseServer) -> Iterator[Fault]:
    if fact.writable:
        yield f"{name} is a replica, and takes writes", "set read_only=ON there"
    if not fact.streams and not fact.missing:
        yield f"{name} takes no writes, and replicates nothing", "make it a replica again"
    for stream in fact.streams:
        if not stream.running:
            yield f"{name} does not replicate: {stream.detail}", "start replication again, or build the replica anew"
        elif stream.lag is None:
            yield f"{name} does not know how far it is behind: {stream.detail}", "has it ever received anything?"
        elif stream.lag > rules.max_lag:
            yield f"{name} is {stream.lag:.0f} s behind", "look at its disk and its load"
