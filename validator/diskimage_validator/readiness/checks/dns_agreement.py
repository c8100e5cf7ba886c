"""All internal resolvers give the same addresses for every endpoint's name.

Where they differ, the same job passes or fails by the resolver that its node happens to ask: a secondary that no
longer gets its zone, say. A resolver that does not answer is reported by ``dns-names``.

.. rubric:: Example

With this factory::

    endpoints:
      - {name: mirror.internal}
    dns:
      resolvers: [192.0.2.53, 192.0.2.54]

the line passes if both resolvers give the same addresses, in any order.

It fails if the second still gives the address of the old mirror.
"""

from collections.abc import Iterator
from typing import Final

from diskimage_validator.facts.base import Unreadable
from diskimage_validator.model import Finding, Severity, Status
from diskimage_validator.readiness.asking import Evidence
from diskimage_validator.readiness.checks import dns_names
from diskimage_validator.readiness.checks.base import Question, tell_of_all
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.facts.dns import AskName, Lookup

ID: Final = "dns-agreement"
TITLE: Final = "Resolvers that agree"
SEVERITY: Final = Severity.CRITICAL
LINE: Final = "DNS"

_EXPECTED: Final = "the same answer from every resolver"


def asks(factory: Factory) -> Iterator[AskName]:
    """Yield the questions of dns-names, if there is anybody to agree with."""
    return dns_names.asks(factory) if len(factory.resolvers) > 1 else iter(())


def check(question: Question) -> Iterator[Finding]:
    """Yield one finding for every name."""
    by_name: dict[str, list[Evidence[Lookup]]] = {}
    for ask in asks(question.factory):
        by_name.setdefault(ask.name, []).append(question.seen[ask])
    for name, evidence in by_name.items():
        yield _judge(name, evidence)


def _judge(name: str, evidence: list[Evidence[Lookup]]) -> Finding:
    answers: dict[str, list[str]] = {}
    for one in evidence:
        if not isinstance(one.fact, Unreadable) and not one.fact.trouble:
            answers.setdefault(", ".join(one.fact.addresses) or str(one.fact), []).append(one.ask.target)
    answered = sum(map(len, answers.values()))
    if answered < 2:
        message = f"only {answered} of {len(evidence)} resolvers answered"
        return tell_of_all(evidence, name, Status.ERROR, message, _EXPECTED, hint=f"see {dns_names.ID}")
    actual = "; ".join(f"{', '.join(resolvers)}: {answer}" for answer, resolvers in answers.items())
    if len(answers) > 1:
        hint = "look at the serial of the zone on each resolver (dig SOA), and at the transfers between them"
        return tell_of_all(evidence, name, Status.FAIL, f"the resolvers differ: {actual}", _EXPECTED, actual, hint)
    message = f"{answered} resolvers agree: {next(iter(answers))}"
    return tell_of_all(evidence, name, Status.PASS, message, _EXPECTED, actual)
