"""A ZooKeeper ensemble has one leader, and enough members that follow it, with all that it has, in the same version.

Only members that answer now count, ``min_members`` of them (3) have to. A follower serves only while it keeps up with
the leader (``syncLimit``), so a mode of ``follower`` and the leader's epoch are enough; where ``mntr`` is allowed
(``4lw.commands.whitelist``) the leader tells besides how many followers it takes for synchronized. The members have to
agree about who votes (``/zookeeper/config``), and all of those have to be named: else nobody looks at the others.

.. rubric:: Example

With this factory::

    services:
      zookeeper:
        - name: zuul
          members: [zk1.internal, zk2.internal, zk3.internal]
          client: {certificate: client.pem, key: "file:/etc/factory/client.key"}

the line passes if one leads, two follow, and all are version 3.8.0.

It fails with two members left, which is a quorum, but the last one; without a leader; and with members that are no
ensemble (``standalone``) or two of them.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks import zookeeper_members
from diskimage_validator.readiness.checks.base import Question, tell_of_all
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.zookeeper import AskMember, Member
from diskimage_validator.readiness.facts.zookeeper import Status as ServerStatus
from diskimage_validator.readiness.rules.services.zookeeper import EnsembleRules

ID: Final = "zookeeper-quorum"
TITLE: Final = "ZooKeeper ensemble"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "Core services"

VOTING: Final = ("leader", "follower")


def asks(factory: Factory) -> Iterator[AskMember]:
    """Yield the questions of zookeeper-members."""
    return zookeeper_members.asks(factory)


def check(question: Question) -> Iterator[Finding]:
    """Yield a finding for every ensemble."""
    for ensemble in question.factory.rules.services.zookeeper:
        yield _judge(ensemble, [question.seen[ask] for ask in zookeeper_members.members(ensemble)])


def _judge(rules: EnsembleRules, evidence: list[Evidence[Member]]) -> Finding:
    expected = f"one leader, at least {rules.min_members} members that serve, one version"
    found = {one.ask.target: one.fact for one in evidence if not isinstance(one.fact, Unreadable)}
    states = {name: fact.status for name, fact in found.items() if fact.status}
    actual = "; ".join(f"{name}: {_said(fact)}" for name, fact in found.items())
    unknown = [one for one in evidence if isinstance(one.fact, Unreadable)]
    if unknown:
        message = f"could not ask {len(unknown)} of {len(evidence)} members, see zookeeper-members"
        hint = f"mend what {zookeeper_members.ID} tells of them"
        return tell_of_all(evidence, rules.name, Status.ERROR, message, expected, actual, hint)
    faults = [*_of_roles(rules, states), *_of_sync(states, found), *_of_membership(rules, found)]
    if faults:
        message = "; ".join(fault for fault, _ in faults)
        return tell_of_all(evidence, rules.name, Status.FAIL, message, expected, actual, faults[0][1])
    leader = next((name for name, state in states.items() if state.mode == "leader"), "a single server")
    apart = max(state.zxid for state in states.values()) - min(state.zxid for state in states.values())
    version = next(iter(states.values())).version
    message = f"{leader} leads {len(states) - 1} others, version {version}, zxids at most {apart} apart"
    if followers := next((fact.followers for fact in found.values() if fact.followers), None):
        message += f", {followers.synced} of {followers.all} followers synchronized"
    if voting := next((fact.participants for fact in found.values() if fact.participants), ()):
        message += f", {len(voting)} vote"
    return tell_of_all(evidence, rules.name, Status.PASS, message, expected, actual)


def _said(fact: Member) -> str:
    if fact.status is None:
        return str(fact.trouble)
    return f"{fact.status.mode}, {fact.status.version}, zxid {fact.status.zxid:#x}"


def _of_roles(rules: EnsembleRules, states: dict[str, ServerStatus]) -> Iterator[tuple[str, str]]:
    by_mode: dict[str, list[str]] = {}
    for name, state in states.items():
        by_mode.setdefault(state.mode, []).append(name)
    serving = sum(len(by_mode.get(mode, ())) for mode in VOTING)
    alone = by_mode.get("standalone", [])
    if alone and (rules.min_members > 1 or len(states) > 1):
        yield f"{', '.join(alone)} is no member of an ensemble (standalone)", "give it the servers of the ensemble"
    leaders = by_mode.get("leader", [])
    if not leaders and not alone:
        yield "there is no leader", "more than half of the members have to be up and to reach each other"
    if len(leaders) > 1:
        yield f"{len(leaders)} leaders: {', '.join(leaders)}", "these are several ensembles: compare their servers"
    if serving + len(alone) < rules.min_members:
        message = f"{serving + len(alone)} of {len(rules.members)} members serve, {rules.min_members} are wanted"
        yield message, "see zookeeper-members for what is wrong with the others"


def _of_sync(states: dict[str, ServerStatus], found: dict[str, Member]) -> Iterator[tuple[str, str]]:
    versions: dict[str, list[str]] = {}
    for name, state in states.items():
        versions.setdefault(state.version, []).append(name)
    if len(versions) > 1:
        said = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(versions.items()))
        yield f"versions differ: {said}", "bring the upgrade to its end"
    leaders = [state for state in states.values() if state.mode == "leader"]
    for name, state in states.items():
        if len(leaders) == 1 and state.mode == "follower" and state.epoch != leaders[0].epoch:
            said = f"{name} follows in epoch {state.epoch}, the leader leads in epoch {leaders[0].epoch}"
            yield said, "ask again: if it stays so, that member follows somebody else"
    for name, fact in found.items():
        if (followers := fact.followers) and followers.synced < followers.all:
            said = f"{followers.synced} of {followers.all} followers have all that {name} has"
            yield said, "look at the network between them, and at their disks"


def _of_membership(rules: EnsembleRules, found: dict[str, Member]) -> Iterator[tuple[str, str]]:
    told = {name: fact.participants for name, fact in found.items() if fact.participants}
    if len(set(told.values())) > 1:
        said = "; ".join(f"{name}: {', '.join(who)}" for name, who in told.items())
        yield f"members do not agree about who votes: {said}", "give them the same server.N lines"
    elif told and len(next(iter(told.values()))) > len(set(rules.addresses)):
        voting = next(iter(told.values()))
        said = f"{len(voting)} members vote, and {len(set(rules.addresses))} are named: {', '.join(voting)}"
        yield said, "name all of them in 'members'"
