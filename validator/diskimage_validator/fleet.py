"""Many targets under one policy, several at a time."""

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import Facts
from diskimage_validator.model import Report
from diskimage_validator.policy_model import Policy
from diskimage_validator.runner import examine


def default_jobs() -> int:
    """Return how many targets are read at a time: one per processor that this process may use."""
    return len(os.sched_getaffinity(0))


def validate_many(
    targets: Sequence[str],
    policy: Policy,
    *,
    jobs: int | None = None,
    engine: str = "auto",
    image_format: str | None = None,
    ssh: SshOptions | None = None,
    boot: BootOptions | None = None,
    also: Collection[str] = (),
    done: Callable[[str, Facts, Report], None] | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Report | ValidatorError]:
    """Return the report on every target, or the error that kept it from being read, in the order of ``targets``.

    ``jobs`` is how many are read at a time (default: one per processor). ``done`` is called with each target that was
    read, its facts and its report, in the thread that read it; facts are not kept beyond that, and a ValidatorError
    that it raises stands in for the report. The other parameters are those of ``examine``. One target that cannot be
    read does not keep the others from being judged.
    """

    def one(target: str) -> Report | ValidatorError:
        say = None if progress is None else partial(_say, progress, target)
        try:
            facts, report = examine(
                target, policy, engine=engine, image_format=image_format, ssh=ssh, boot=boot, also=also, progress=say
            )
            if done is not None:
                done(target, facts, report)
            return report
        except ValidatorError as error:
            return error

    # Threads will do: what takes long is the appliance, a process of its own.
    executor = ThreadPoolExecutor(max_workers=max(1, min(jobs or default_jobs(), len(targets))))
    try:
        pending: list[Future[Report | ValidatorError]] = [executor.submit(one, target) for target in targets]
        return [future.result() for future in pending]
    finally:
        executor.shutdown(cancel_futures=True)


def _say(progress: Callable[[str], None], target: str, step: str) -> None:
    progress(f"{target}: {step}")
