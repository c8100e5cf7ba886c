"""What the lines about egress have in common: what is tried from a node, and what an answer means."""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from diskimage_validator.endpoints import Address
from diskimage_validator.model import Finding, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.egress import Answer, AskEgress, Attempt, Egress
from diskimage_validator.readiness.rules.egress import BootstrapRules, FirewallRules
from diskimage_validator.readiness.rules.fields import DNS_PORT

OPEN_HINTS = {
    "silent": "let the firewall pass it, or look whether the server is up",
    "refused": "is the server running, or does a firewall answer with a reset?",
    "rejected": "let the firewall pass it that answers",
    "no-route": "look at addresses and routes of the node",
    "denied": "add it to the allow-list of the node's firewall",
    "unresolved": "look at the resolvers of the node, and at the zone",
}
NO_NETWORK = "have an endpoint of that family that answers; or the node has no network, and everything looks closed"


def factory_attempts(factory: Factory) -> Iterator[Attempt]:
    """Yield what every build node needs: endpoints, at each of their addresses, and the resolvers.

    An endpoint without TLS for which no port is given is one for its DNS entry only.
    """
    for endpoint in factory.rules.endpoints:
        if not endpoint.tls and "port" not in endpoint.model_fields_set:
            continue
        for name in endpoint.addresses or [endpoint.name]:
            yield Attempt("tcp", Address(name, endpoint.port))
    names = [endpoint.name for endpoint in factory.rules.endpoints if endpoint.address.ip is None]
    for resolver in factory.resolvers:
        yield Attempt("dns", resolver, names[0] if names else "")


def place(address: str, port: int | None, protocol: str) -> Attempt:
    """Return the attempt at an IP address that a section names."""
    return Attempt("dns" if protocol == "dns" else "tcp", Address(address, port or DNS_PORT))


def working(fact: Egress, attempts: Iterable[Attempt]) -> Mapping[int, str]:
    """Return for each IP family (4, 6) the first of ``attempts`` that got through: so the node has a network there.

    What the node reached on itself, over loopback, tells nothing of a network.
    """
    wanted = set(attempts)
    found: dict[int, str] = {}
    for attempt, answers in fact.found:
        for answer in answers:
            if attempt in wanted and answer.outcome == "open" and not ipaddress.ip_address(answer.ip).is_loopback:
                found.setdefault(answer.family, f"{attempt.what} works")
    return found


def subject_of(ask: AskEgress, attempt: Attempt) -> str:
    """Return what reports call an attempt from a node."""
    return f"{attempt} from {ask.node}"


def judge_open(evidence: Evidence[Egress], ask: AskEgress, attempt: Attempt, answers: tuple[Answer, ...]) -> Finding:
    """Return the finding on what has to work, at every address that a name has.

    An address of a family that the node has not is passed over if another answers: so do the node's programs.
    """
    opened = [answer for answer in answers if answer.outcome == "open"]
    wrong = [one for one in answers if one.outcome != "open" and not (opened and one.outcome == "no-route")]
    if not wrong:
        return _tell(evidence, ask, attempt, Status.PASS, _words(attempt, opened), "works")
    status = Status.ERROR if all(answer.outcome == "untried" for answer in wrong) else Status.FAIL
    hint = OPEN_HINTS.get(wrong[0].outcome, "look at the service, and at what is between it and the node")
    return _tell(evidence, ask, attempt, status, _words(attempt, wrong), "works", hint)


def judge_closed(
    evidence: Evidence[Egress],
    ask: AskEgress,
    attempt: Attempt,
    answers: tuple[Answer, ...],
    works: Mapping[int, str],
    rules: FirewallRules | BootstrapRules,
) -> Finding:
    """Return the finding on what must not work. ``works`` is what ``working`` says of the same node and run.

    Silence tells of a firewall only where the node has a network: else nothing is known.
    """
    opened = [answer for answer in answers if answer.outcome == "open"]
    if opened:
        hint = "close it in the firewall, or in the proxy's access list"
        return _tell(evidence, ask, attempt, Status.FAIL, f"it works: {_words(attempt, opened)}", "closed", hint)
    doubts = [(answer, doubt) for answer in answers if (doubt := _doubt(answer, works, rules))]
    if doubts:
        answer, (why, hint) = doubts[0]
        message = f"could not tell: {_words(attempt, [answer])}; {why}"
        return _tell(evidence, ask, attempt, Status.ERROR, message, "closed", hint)
    others = dict.fromkeys(works[answer.family] for answer in answers if answer.family in works)
    message = ", while ".join([_words(attempt, answers), *others])
    return _tell(evidence, ask, attempt, Status.PASS, message, "closed")


def _doubt(answer: Answer, works: Mapping[int, str], rules: FirewallRules | BootstrapRules) -> tuple[str, str] | None:
    """Return why an answer does not tell whether a way is closed, and what to do about that; None if it does."""
    if answer.outcome == "declined":
        return None
    if answer.outcome == "refused" and not rules.reset_is_closed:
        hint = "name a port on which it listens; or say 'reset_is_closed', if the firewall answers with resets"
        return "it may be the host that says so, or a firewall in its name", hint
    if answer.outcome == "unresolved":
        return "so nothing was sent", "name the proxy by its IP address: it may still be there"
    if answer.outcome in ("reset", "unclear", "untried"):
        return "that is no firewall's answer, and no proxy's refusal", "look at what answers there"
    if answer.family in works or (answer.outcome == "no-route" and answer.family == 6 and works and not rules.ipv6):
        return None
    return f"nothing that has to work does over IPv{answer.family} from this node", NO_NETWORK


def _words(attempt: Attempt, answers: Iterable[Answer]) -> str:
    """Return what was seen, with the address where that is news."""
    said = [one.words if one.ip in ("", attempt.address.name) else f"{one.ip}: {one.words}" for one in answers]
    return "; ".join(said)


def _tell(
    evidence: Evidence[Egress],
    ask: AskEgress,
    attempt: Attempt,
    status: Status,
    message: str,
    expected: str,
    hint: str = "",
) -> Finding:
    """Return a finding that says what was sent from which node: not all of the run, but this attempt."""
    tried = f"{ask.node}: {attempt.what}"
    return Finding(subject_of(ask, attempt), status, message, expected, message, hint, tried=tried, when=evidence.when)
