"""Several targets in one call: a line for each, the worst first, and the highest exit status."""

import io
import json

import pytest

from diskimage_validator.errors import TargetError, UsageError
from diskimage_validator.model import Severity
from diskimage_validator.reports.summary import Outcome, exit_status, write_summary, write_summary_json
from tests.support import images
from tests.support.reports import HOSTILE, broken, sound, unreadable, waived

GOOD = Outcome("good.qcow2", sound(images.debian()))
BAD = Outcome("bad.qcow2", broken(images.debian()))
ODD = Outcome("odd.qcow2", unreadable(images.debian()))
TRUNCATED = Outcome("cut.qcow2", error=TargetError("cut.qcow2 is truncated", "build it again"))
ALL = [GOOD, BAD, ODD, TRUNCATED]


def text_of(outcomes: list[Outcome]) -> str:
    stream = io.StringIO()
    write_summary(outcomes, stream, Severity.WARNING)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([GOOD], 0),
        ([GOOD, BAD], 1),
        ([BAD, ODD, GOOD], 3),
        ([BAD, Outcome("x", error=UsageError("no such file"))], 2),
        ([TRUNCATED, GOOD], 3),
        ([Outcome("nobody looked")], 3),
        ([], 2),
    ],
)
def test_the_highest_exit_status_is_that_of_all(outcomes: list[Outcome], status: int) -> None:
    assert exit_status(outcomes, Severity.WARNING) == status


def test_a_line_says_the_verdict_the_numbers_and_which_checks_failed() -> None:
    lines = text_of(ALL).splitlines()
    assert lines[0] == "VERDICT          PASS  FAIL  WAIVED  ERROR  TARGET"
    assert lines[1].startswith("COULD NOT TELL     10     0       0      1  odd.qcow2: packages-required")
    assert lines[2] == "COULD NOT TELL      -     -       -      -  cut.qcow2: cut.qcow2 is truncated"
    assert lines[3].split() == ["hint:", "build", "it", "again"]
    assert lines[4] == (
        "FAILED              9     5       0      0  "
        "bad.qcow2: packages-required, commands-required, ca-trusted, ca-anchors"
    )
    assert lines[5] == "PASSED             14     0       0      0  good.qcow2"
    assert lines[-1] == "COULD NOT TELL  4 targets: 1 passed, 1 failed, 2 could not tell"


def test_a_waived_failure_is_counted_and_named_as_no_failure() -> None:
    (line,) = [
        line for line in text_of([Outcome("w.qcow2", waived({}))]).splitlines() if line.endswith("w.qcow2: disk")
    ]
    assert line.split()[1:5] == ["2", "1", "1", "0"]


def test_hostile_texts_stay_on_their_line() -> None:
    text = text_of([Outcome(HOSTILE, error=TargetError(HOSTILE, HOSTILE))])
    assert text.replace("\n", "").isprintable()
    assert len(text.splitlines()) == 5


def test_json_has_every_report_in_the_given_order() -> None:
    stream = io.StringIO()
    write_summary_json(ALL, stream, Severity.WARNING)
    told = json.loads(stream.getvalue())
    assert told["verdict"] == {"threshold": "warning", "exit_status": 3}
    assert told["summary"] == {"passed": 1, "failed": 1, "nothing-checked": 0, "could-not-tell": 2}
    assert [target["target"] for target in told["targets"]] == [outcome.target for outcome in ALL]
    assert told["targets"][1]["failed_checks"] == ["packages-required", "commands-required", "ca-trusted", "ca-anchors"]
    assert told["targets"][1]["report"]["verdict"]["exit_status"] == 1
    assert told["targets"][3]["report"] is None
    assert (told["targets"][3]["error"], told["targets"][3]["hint"]) == ("cut.qcow2 is truncated", "build it again")
