"""Is the root, and is each finished file, what was asked for? A file is read as the cloud is going to get it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from airgap_image_factory.gate.settings import Settings
from diskimage_validator import validate
from diskimage_validator.cli_console import output
from diskimage_validator.documents import read_bounded
from diskimage_validator.errors import TargetError, UsageError, ValidatorError
from diskimage_validator.image_file import FORMATS
from diskimage_validator.model import Report, Severity
from diskimage_validator.policy_model import Policy
from diskimage_validator.reports import WRITERS
from diskimage_validator.reports.json_reader import read_report

REPORT_FILES: Final = {"text": "report-{}.txt", "json": "report-{}.json", "junit": "junit-{}.xml"}
MOST_SUBJECTS: Final = 20


@dataclass(frozen=True)
class Verdict:
    """What is said about the root or a file: the exit status, a line, and some text for the log.

    ``is_policy``: the policy was held against it. If it was not, the image cannot be read, or this host cannot read it.
    """

    status: int
    line: str
    text: str = ""
    is_policy: bool = False


def root_verdict(file: Path, threshold: Severity) -> Verdict | None:
    """Return what the JSON report of validate-root at ``file`` says; None if there is none that can be read."""
    try:
        report, _ = read_report(read_bounded(file), str(file))
    except UsageError:
        return None
    line = f"the root: {_subjects(report, threshold)}"
    return Verdict(report.exit_status(threshold), line, is_policy=True)


def to_judge(disks: Sequence[str]) -> list[str]:
    """Return the formats that the validator has to read for a verdict on all of ``disks``.

    The content of every format is compared with the raw disk when it is made, so the verdict on that counts for those
    that it does not read.
    """
    read = [name for name in disks if name in FORMATS]
    return read if len(read) == len(disks) or "raw" in read else [*read, "raw"]


def judge(image: Path, image_format: str, final: Path, policy: Policy, settings: Settings, reports: Path) -> Verdict:
    """Validate the file ``image``, which is going to be ``final``, and write its reports into the folder ``reports``.

    The digest in the report has to be that of ``<image>.sha256``, if there is one. An image that cannot be read at all
    has a verdict, too.
    """
    try:
        report = validate(str(image), policy, engine=settings.engine, image_format=image_format)
        _check_digest(image, report)
    except ValidatorError as error:
        return Verdict(error.exit_status, f"{final.name}: {error.message}", f"error: {error.message}\n{error.hint}")
    report = replace(report, target=replace(report.target, name=str(final)))
    reports.mkdir(parents=True, exist_ok=True)
    for name, file in REPORT_FILES.items():
        with output(str(reports / file.format(image_format))) as stream:
            WRITERS[name](report, stream, settings.threshold)
    text = io.StringIO()
    WRITERS["text"](report, text, settings.threshold)
    line = f"{final.name}: {_subjects(report, settings.threshold)}"
    return Verdict(report.exit_status(settings.threshold), line, text.getvalue(), is_policy=True)


def _check_digest(image: Path, report: Report) -> None:
    checksum = image.with_name(f"{image.name}.sha256")
    if checksum.exists() and checksum.read_text().removeprefix("\\")[:64] != report.target.sha256:
        raise TargetError("the image changed after its checksum was computed", "something else writes into its folder")


def _subjects(report: Report, threshold: Severity) -> str:
    """Return what failed, in a line."""
    found = [f"{result.check} ({result.finding.subject})" for result in report.results if result.condemns(threshold)]
    if not found:
        return "nothing was checked" if report.exit_status(threshold) else "passed"
    more = f" and {len(found) - MOST_SUBJECTS} more" if len(found) > MOST_SUBJECTS else ""
    return f"{', '.join(found[:MOST_SUBJECTS])}{more}"
