"""From a factory to a Report: all questions in parallel, then the checks over what was seen."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts.base import Unreadable
from diskimage_validator.judging import judge
from diskimage_validator.model import FACTORY, Report, TargetInfo
from diskimage_validator.readiness.asking import Ask, Evidence, Seen
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.checks.base import Question
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.parallel import answers
from diskimage_validator.readiness.plan import planned
from diskimage_validator.release import VERSION
from diskimage_validator.waivers import apply_waivers

BY_HAND = "do by hand what was tried; if it only takes long, raise 'limits.timeout'"
"""What to do about a question without an answer, if nobody knows better."""
ENGINE = "network"
"""What a report says of who looked."""


def check_readiness(
    factory: Factory, *, ssh: SshOptions | None = None, progress: Callable[[str], None] | None = None
) -> Report:
    """Ask everything that ``factory`` asks for, and return the report. ``progress`` is told what is being done.

    Never raises for what the network says or does not say: that is in the report.
    """
    now, started = datetime.now(UTC), time.monotonic()
    questions = planned(factory)
    question = Question(factory, _gather(factory, questions, ssh or SshOptions(), progress or _silent), now)
    asked = {check: any(True for _ in READINESS_CHECKS[check].asks(factory)) for check in READINESS_CHECKS}
    found = [
        result
        for check in READINESS_CHECKS.values()
        for result in judge(
            check.id,
            check.title,
            factory.rules.severity.get(check.id, check.severity),
            asked=asked[check.id],
            run=lambda check=check: check.run(question),  # type: ignore[misc]
        )
    ]
    results, waivers = apply_waivers(found, factory.rules.waivers, now.date())
    return Report(
        target=TargetInfo(factory.rules.name, FACTORY),
        policy_name=factory.rules.name,
        policy_digest=factory.digest,
        engine=ENGINE,
        tool_version=VERSION,
        started=now.isoformat(timespec="seconds"),
        duration=time.monotonic() - started,
        results=results,
        waivers=waivers,
    )


def _gather(factory: Factory, questions: Sequence[Ask[Any]], ssh: SshOptions, progress: Callable[[str], None]) -> Seen:
    """Ask all, several at a time. A probe that fails costs nobody else the answer."""
    from diskimage_validator.readiness.probes.means import Means

    limits = factory.rules.limits
    means = Means(limits.timeout, factory.resolvers, factory.folder, factory.authorities, ssh, factory.policies)
    evidence: dict[Ask[Any], Evidence[Any]] = {}
    progress(f"asking {len(questions)} questions")
    try:
        for ask, answer in answers(questions, partial(_ask, means=means), limits.parallel):
            evidence[ask] = answer
            waiting = next((other for other in questions if other not in evidence), ask)
            progress(f"{len(evidence)} of {len(questions)} answered; {waiting.tried}")
    finally:  # also where this is interrupted: two answers that are waited for, and the removal of what was written
        if means.traces.busy:
            progress("removing what was written")
        means.traces.end(3 * limits.timeout + 1)
    return Seen(evidence)


def _ask(ask: Ask[Any], means: Any) -> Evidence[Any]:
    from diskimage_validator.readiness.probes import PROBES

    when = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        return Evidence(ask, PROBES[type(ask)](ask, means), when)
    except ValidatorError as error:
        return Evidence(ask, Unreadable(error.message, error.hint or BY_HAND, type(error).__name__), when)
    except Exception as error:  # a crash of one probe must not hide what the others see
        reason = f"the probe crashed: {type(error).__name__}: {error}"
        return Evidence(ask, Unreadable(reason, "this is a bug: please report it", type(error).__name__), when)


def _silent(_: str) -> None:
    pass
