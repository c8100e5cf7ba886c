"""The gate as in production: by an account that is not root, and has sudo."""

import os
import signal
from collections.abc import Iterator

import pytest

from airgap_image_factory.block_device.processes import descendants
from tests.functional.account import Account, account
from tests.functional.gate import NODEPOOL, GateRunner, Running
from tests.functional.unprivileged import NOBODY, hand_over
from tests.support.waiting import wait_for


class AccountRunner(GateRunner):
    """The gate as ``account`` runs it, in its folder."""

    def __init__(self, account: Account) -> None:
        self.account = account
        super().__init__(account.folder, {"HOME": str(account.folder), "USER": NOBODY})
        for path in (self.images, self.tmp):
            hand_over(path)

    def command(self, *arguments: str, base: str = "image-1", formats: str = "qcow2") -> list[str]:
        return self.account.command(super().command(*arguments, base=base, formats=formats))

    def leftovers(self) -> list[str]:
        mounts = [line for line in self.account.mounts() if str(self.folder) in line]
        return [*mounts, *super().leftovers()]

    def owners(self) -> set[str]:
        return {path.owner() for path in self.images.rglob("*")}


@pytest.fixture
def gate() -> Iterator[AccountRunner]:
    with account() as builder:
        yield AccountRunner(builder)


@pytest.fixture
def sleeping(gate: AccountRunner) -> Running:
    running = gate.start("block-device-loop-mbr", TINY_ROOT_FINALISE="sleep")
    running.reaches("tiny-root sleeps")
    assert any(found.startswith("/dev/loop") for found in gate.leftovers())
    assert any(mount.startswith("/dev/loop") for mount in gate.leftovers() if " ext4 " in mount)
    return running


def test_an_image_its_checksums_and_its_reports_are_the_accounts(gate: AccountRunner) -> None:
    done = gate(*NODEPOOL, "block-device-loop-mbr", formats="qcow2,raw")
    assert done.status == 0, done.log
    assert gate.uploadable() == ["image-1.qcow2", "image-1.raw"]
    names = {path.name for path in (gate.images / "image-1.d").iterdir()}
    assert {"root-report.json", "report-qcow2.json", "report-raw.json"} <= names
    assert gate.owners() == {NOBODY}
    assert gate.leftovers() == []


def test_a_root_that_fails_is_told_and_leaves_nothing(gate: AccountRunner) -> None:
    done = gate(*NODEPOOL, TINY_ROOT_FILE="/etc/forbidden")
    assert done.status == 1
    assert "REJECTED: the root: files (/etc/forbidden)" in done.last
    assert gate.uploadable() == []
    assert gate.owners() == {NOBODY}
    assert gate.leftovers() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_what_runs_as_root_too(sleeping: Running, number: signal.Signals) -> None:
    sleeping.send(number)
    sleeping.wait()
    wait_for(lambda: not sleeping.gate.leftovers(), 120)
    assert sleeping.gate.leftovers() == []
    assert list(sleeping.gate.images.iterdir()) == []
    assert "INTERRUPTED by SIGTERM" in sleeping.log.read_text().splitlines()[-1]


def test_what_nobody_was_left_to_clean_up_is_cleaned_up_by_the_next_build(sleeping: Running) -> None:
    for pid in (sleeping.process.pid, *descendants(sleeping.process.pid)):
        os.kill(pid, signal.SIGKILL)
    sleeping.wait()
    gate = sleeping.gate
    done = gate(base="image-2")
    assert done.status == 0, done.log
    assert gate.leftovers() == []
    assert sorted(path.name for path in gate.images.iterdir()) == ["image-2.d", "image-2.qcow2"]


def test_an_account_without_sudo_is_told_so() -> None:
    with account(sudo=False) as builder:
        gate = AccountRunner(builder)
        done = gate()
        assert done.status == 4
        assert "sudo does not work: sudo: a password is required" in done.last
        assert list(gate.images.iterdir()) == []
        assert gate.leftovers() == []
