"""The harness of the benchmarks: what it measures, and that it tells what it could not measure."""

import io
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.measure import Case, Measured, Sample, measure, ratios, run_once
from benchmarks.report import HEADINGS, Comparison, rows, write_csv, write_svg, write_text
from benchmarks.setup import Setup

from diskimage_validator.engines import kvm
from diskimage_validator.engines.boot.machine import accelerators

MIB = 2**20


def python(code: str, *, good: tuple[int, ...] = (0,)) -> Case:
    return Case("python", [sys.executable, "-c", code], good=good)


def ran(name: str, *walls: float, memory: int = 100 * MIB) -> Measured:
    return Measured(Case(name), [Sample(wall, wall / 2, memory) for wall in walls])


def test_time_is_that_of_the_whole_command_and_cpu_that_of_its_children_too() -> None:
    busy = "import time; begin = time.process_time()\nwhile time.process_time() < begin + 0.3: pass"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"
    sample = run_once(python(child))
    assert sample.cpu >= 0.3
    assert sample.wall >= sample.cpu * 0.5
    assert run_once(python("import time; time.sleep(0.5)")).cpu < 0.4


def test_memory_is_that_of_all_processes_together() -> None:
    hold = f"import time; data = b'x' * {100 * MIB}; time.sleep(0.5)"
    both = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {hold!r}]); {hold}; p.wait()"
    assert run_once(python(both)).memory > 200 * MIB
    assert run_once(python("pass"), memory=False).memory == 0


def test_memory_that_processes_share_counts_once() -> None:
    fork = f"import os, time; data = b'x' * {100 * MIB}; child = os.fork(); time.sleep(0.5); child and os.wait()"
    assert 100 * MIB < run_once(python(fork)).memory < 150 * MIB


def test_memory_is_looked_at_while_it_warms_up_unless_it_is_the_question() -> None:
    hold = python(f"import time; data = b'x' * {50 * MIB}; time.sleep(0.3)")
    (timed,) = measure([hold], 2, lambda _: None)
    assert len({sample.memory for sample in timed.samples}) == 1
    assert timed.samples[0].memory > 50 * MIB
    (asked,) = measure([hold], 1, lambda _: None, memory=True)
    assert asked.samples[0].memory > 50 * MIB


def test_what_fails_or_is_missing_is_told_and_the_others_go_on() -> None:
    cases = [
        python("pass"),
        python("import sys; sys.exit('no good')"),
        Case("peer", missing="install it"),
        python("import sys; sys.exit(1)", good=(0, 1)),
    ]
    said: list[str] = []
    fine, failed, missing, finding = measure(cases, 2, said.append)
    assert (len(fine.samples), len(finding.samples)) == (2, 2)
    assert failed.failed == "exit status 1: no good"
    assert missing.failed == "install it"
    assert len(said) == 6, "one line for each run, warming up too"


HOLD = """\
import sys, types
from pathlib import Path
from benchmarks import __main__ as bench, measure

def run(setup):
    pids = setup.scratch / "pids"
    shell = f"trap '' TERM; sleep 60 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait; wait"
    print(setup.scratch, flush=True)
    measure.measure([measure.Case("hold", ["sh", "-c", shell])], 1, str)

measure.GRACE = 0.5
hold = types.ModuleType("benchmarks.suite.hold")
hold.run = run
sys.modules[hold.__name__] = hold
bench.SUITE = ("hold",)
bench.main()
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_whoever_ends_it_ends_what_it_measures_and_leaves_nothing(number: int, status: int, tmp_path: Path) -> None:
    image = tmp_path / "node.qcow2"
    image.touch()
    command = [sys.executable, "-c", HOLD, "hold", "--image", str(image)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        scratch = Path(running.stdout.readline().strip())
        pids = scratch / "pids"
        while not pids.exists():
            time.sleep(0.01)
        processes = [int(pid) for pid in pids.read_text().split()]
        running.send_signal(number)
        running.communicate(timeout=20)
    assert running.returncode == status
    assert not scratch.exists()
    assert len(processes) == 2
    assert [pid for pid in processes if is_running(pid)] == []


def is_running(pid: int) -> bool:
    """Whether there is such a process, which is not waiting to be reaped, two seconds from now at most."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state in "ZX":
            return False
        time.sleep(0.01)
    return True


def test_without_kvm_ours_has_none_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "of the user"))
    plain = Setup(tmp_path / "node.qcow2", 1, tmp_path).ours("boot")
    assert plain.environment == ()
    case = Setup(tmp_path / "node.qcow2", 1, tmp_path, tcg=True).ours("boot")
    monkeypatch.setenv(*dict(case.environment).popitem())
    assert kvm.remembered() == "--tcg"
    assert accelerators() == ("tcg",)
    assert not (tmp_path / "of the user").exists()


def test_ratios_are_of_pairs() -> None:
    assert ratios(ran("a", 1, 4), ran("b", 2, 2)) == [0.5, 2]


@pytest.mark.parametrize(
    ("kind", "goal", "value", "met"),
    [
        ("ratio", 0.3, 0.25, "yes"),
        ("ratio", 0.2, 0.25, "no"),
        ("speedup", 4.0, 4.0, "yes"),
        ("speedup", 4.1, 4.0, "no"),
        ("difference", -2.0, -3.0, "yes"),
        ("memory", 99.0, 100.0, "no"),
        ("ratio", None, 0.25, ""),
    ],
)
def test_a_goal_is_met_or_not(kind: str, goal: float | None, value: float, met: str) -> None:
    comparison = Comparison("x", "X", [ran("a", 1, 1, 1), ran("b", 4, 4, 2)], kind, goal)
    assert (comparison.value(), comparison.met()) == (value, met)


def test_without_the_peer_there_is_no_ratio_and_no_word_of_a_goal() -> None:
    comparison = Comparison("x", "X", [ran("a", 1), Measured(Case("b"), failed="install b")], goal=1.0)
    assert (comparison.value(), comparison.met()) == (None, "")
    assert rows(comparison)[1][1:] == ("b: not measured: install b", "-", "-", "-", "", "", "")


def test_the_three_forms_tell_the_same() -> None:
    found = [Comparison("x", "X & <Y>", [ran("a", 1.5), ran("b", 3), Measured(Case("c"), failed="gone")], goal=0.6)]
    text, table, plot = io.StringIO(), io.StringIO(), io.StringIO()
    write_text(found, text)
    write_csv(found, table)
    write_svg(found, plot)
    assert text.getvalue().splitlines()[2].split() == ["a", "1.50", "0.75", "100", "0.500", "<=", "0.6", "yes"]
    assert table.getvalue().splitlines()[:2] == [",".join(HEADINGS), "x,a,1.50,0.75,100,0.500,<= 0.6,yes"]
    shown = [element.text for element in ET.fromstring(plot.getvalue()).iter("{http://www.w3.org/2000/svg}text")]
    assert shown == ["X & <Y>", "a", "1.50 s", "b", "3.00 s", "c (not measured)"]
