"""initramfs-once: update-initramfs is diverted by the real dpkg-divert while packages are installed, and runs once."""

import pytest

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot

DIVERT = "pre-install.d/05-initramfs-once"
GENERATE = "post-install.d/98-initramfs-once"
PROGRAM = "/usr/sbin/update-initramfs"
DIVERSIONS = "/var/lib/dpkg/diversions"
REAL = '#!/bin/sh\necho "$*" >> /tmp/called\n'


@pytest.fixture
def root(fake_root: MakeRoot) -> FakeRoot:
    made = fake_root("initramfs-once")
    made.write(DIVERSIONS, "")
    made.hide(PROGRAM)
    return made


def unpack(root: FakeRoot) -> None:
    """Put the real program where the real dpkg-divert says that its package's file belongs."""
    root.add_hook(
        "install.d/01-unpack",
        f"to=$(dpkg-divert --truename {PROGRAM})\ncat > $to <<'END'\n{REAL}END\nchmod 0755 $to",
    )
    assert root.run_inside("install.d/01-unpack").ok


def ask(root: FakeRoot, *calls: str) -> str:
    root.add_hook("install.d/02-ask", "\n".join(f"update-initramfs {call}" for call in calls))
    run = root.run_inside("install.d/02-ask")
    assert run.ok, run.output
    return run.output


def called(root: FakeRoot) -> list[str]:
    return root.read("/tmp/called").splitlines() if root.exists("/tmp/called") else []


def test_three_requests_are_one_run_at_the_end(root: FakeRoot) -> None:
    root.run_twice(DIVERT)
    unpack(root)
    assert ask(root, "-u", "-c -k 6.1.0-1-amd64 -b /boot", "-u").count("put off to the end of the build") == 3
    assert called(root) == []
    run = root.run_inside(GENERATE)
    assert run.ok, run.output
    assert called(root) == ["-c -k all"]


def test_nothing_of_it_stays(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    unpack(root)
    ask(root, "-u")
    assert root.run_inside(GENERATE).ok
    assert root.read(PROGRAM) == REAL
    assert root.read(DIVERSIONS) == ""
    assert [path for path in root.tree() if "initramfs-once" in path] == []


def test_a_second_run_changes_nothing(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    unpack(root)
    ask(root, "-u")
    root.run_twice(GENERATE)
    assert called(root) == ["-c -k all"]


def test_without_a_request_none_is_generated(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    unpack(root)
    assert root.run_inside(GENERATE).ok
    assert called(root) == []
    assert root.read(PROGRAM) == REAL


def test_without_the_package_nothing_is_left(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    run = root.run_inside(GENERATE)
    assert run.ok, run.output
    assert not root.exists(PROGRAM)
    assert root.read(DIVERSIONS) == ""


def test_a_kernel_that_goes_takes_its_own_along_at_once(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    unpack(root)
    ask(root, "-d -k 6.1.0-1-amd64")
    assert called(root) == ["-d -k 6.1.0-1-amd64"]
    assert root.run_inside(GENERATE).ok
    assert called(root) == ["-d -k 6.1.0-1-amd64"]


def test_a_kernel_that_goes_where_nothing_makes_initial_ram_disks(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    assert ask(root, "-d -k 6.1.0-1-amd64") == ""
    assert root.run_inside(GENERATE).ok
    assert not root.exists(PROGRAM)


def test_a_failure_ends_the_build(root: FakeRoot) -> None:
    assert root.run_inside(DIVERT).ok
    unpack(root)
    ask(root, "-u")
    root.write(f"{PROGRAM}.initramfs-once", "#!/bin/sh\nexit 1\n", 0o755)
    assert root.run_inside(GENERATE).status != 0


@pytest.mark.parametrize("family", ["redhat", "suse"])
def test_nothing_happens_where_there_is_no_dpkg(fake_root: MakeRoot, family: str) -> None:
    root = fake_root("initramfs-once", family)
    before = root.tree()
    for hook in (DIVERT, GENERATE):
        assert root.run_twice(hook).output == ""
    assert root.tree() == before
