"""``validate`` with several targets: reports for each, and one summary of all."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from diskimage_validator.cli.reports import Destination, check_destinations, needed_facts, write_reports
from diskimage_validator.cli_console import Progress, output
from diskimage_validator.engines.boot.options import BootOptions
from diskimage_validator.engines.ssh.options import SshOptions
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import Facts
from diskimage_validator.fleet import validate_many
from diskimage_validator.frozen import dataclass
from diskimage_validator.model import Report, Severity
from diskimage_validator.policy_model import Policy
from diskimage_validator.reports.summary import SUMMARY_WRITERS, Outcome, exit_status

PLACE = "{name}"


def check_fleet(targets: Sequence[str], destinations: Sequence[Destination]) -> None:
    """Raise UsageError for what cannot be told of several targets. The first destination is that of the summary."""
    summary, *further = destinations
    if summary.format not in SUMMARY_WRITERS:
        known = " or ".join(SUMMARY_WRITERS)
        raise UsageError(
            f"--format {summary.format} is for one target; the summary of several is {known}",
            f"--report {summary.format}=reports/{PLACE}.{summary.format} writes one for each",
        )
    for destination in further:
        if PLACE not in (destination.path or ""):
            raise UsageError(
                f"--report {destination.format}={destination.path}: with several targets, write {PLACE} in its name",
                f"for instance --report {destination.format}=reports/{PLACE}.{destination.format}",
            )
    names: dict[str, str] = {}
    for index, target in enumerate(targets if further else ()):
        other = names.setdefault(name_of(target), target)
        if other != target or target in targets[:index]:
            raise UsageError(f"{other} and {target} have one name, and so would their reports", "validate one apart")
    check_destinations([summary, *(_of(target, destination) for target in targets for destination in further)])


def name_of(target: str) -> str:
    """Return what ``{name}`` stands for: the last part of the target's path, without the suffix of an image."""
    path = Path(target.removeprefix("dir:"))
    return (path.stem if path.suffix in (".qcow2", ".raw", ".img") else path.name) or "root"


def _of(target: str, destination: Destination) -> Destination:
    return replace(destination, path=(destination.path or "").replace(PLACE, name_of(target)))


@dataclass(frozen=True)
class Fleet:
    """Targets, the policy that all are held against, and where their reports go: the summary first."""

    targets: Sequence[str]
    policy: Policy
    destinations: Sequence[Destination]
    threshold: Severity

    def run(
        self,
        *,
        jobs: int | None,
        engine: str,
        image_format: str | None,
        ssh: SshOptions,
        boot: BootOptions,
        share_appliance: bool,
        quiet: bool,
    ) -> int:
        """Judge all, write all reports, and return the worst exit status."""
        summary, *further = self.destinations
        lock, finished = threading.Lock(), 0

        def write(target: str, facts: Facts, report: Report) -> None:
            nonlocal finished
            write_reports(report, facts, [_of(target, destination) for destination in further], self.threshold)
            with lock:
                finished += 1

        def say(step: str) -> None:
            with lock:
                progress(f"{finished} of {len(self.targets)} done; {step}")

        with Progress(quiet=quiet) as progress:
            found = validate_many(
                self.targets,
                self.policy,
                jobs=jobs,
                engine=engine,
                image_format=image_format,
                ssh=ssh,
                boot=boot,
                also=needed_facts(further),
                share_appliance=share_appliance,
                done=write,
                progress=say,
            )
        outcomes = [
            Outcome(target, report=result) if isinstance(result, Report) else Outcome(target, error=result)
            for target, result in zip(self.targets, found, strict=True)
        ]
        with output(summary.path) as stream:
            SUMMARY_WRITERS[summary.format](outcomes, stream, self.threshold)
        return exit_status(outcomes, self.threshold)
