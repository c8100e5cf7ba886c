"""The tool that breaks trees does what it says, and leaves the tree below alone."""

import pytest

from tests.support.memory_engine import Entry, Link, MemoryEngine
from tests.support.mutations import Draft, Remembered


@pytest.fixture
def draft() -> Draft:
    tree: dict[str, Entry] = {
        "/usr/bin/a": b"program",
        "/bin": Link("usr/bin"),
        "/etc/conf.d/one": b"1",
        "/etc/conf.d/two": b"2",
    }
    return Draft(Remembered(MemoryEngine(tree)))


def test_changes_show_and_the_base_stays(draft: Draft) -> None:
    draft.write("/bin/b", "new", mode=0o755)
    draft.append("/etc/conf.d/one", "!")
    draft.replace("/bin/a", b"pro", b"con")
    draft.chmod("/usr/bin/a", 0o4755)
    draft.chown("/usr/bin/a", 5, 6)
    assert draft.listdir("/usr/bin") == ["a", "b"]
    assert draft.read("/etc/conf.d/one") == b"1!"
    assert draft.read("/usr/bin/a") == b"congram"
    entry = draft.stat("/bin/a")
    assert entry is not None
    assert (entry.mode & 0o7777, entry.uid, entry.gid, entry.size) == (0o4755, 5, 6, 7)
    assert draft.base.listdir("/usr/bin") == ["a"]
    assert draft.base.read("/usr/bin/a") == b"program"


def test_what_was_removed_is_gone_until_it_is_made_again(draft: Draft) -> None:
    draft.remove("/etc/conf.d")
    assert draft.listdir("/etc") == []
    assert not draft.exists("/etc/conf.d/one")
    draft.write("/etc/conf.d/three", "3")
    assert draft.listdir("/etc/conf.d") == ["three"]
    assert not draft.exists("/etc/conf.d/one")


def test_links_lead_inside_the_changed_tree(draft: Draft) -> None:
    draft.link("/bin/c", "../../etc/conf.d/two")
    assert draft.read("/bin/c") == b"2"
    assert "/usr/bin/c" in [path for path, _ in draft.walk("/")]


def test_a_change_that_does_not_apply_is_an_error(draft: Draft) -> None:
    with pytest.raises(AssertionError):
        draft.replace("/usr/bin/a", "absent", "x")
    with pytest.raises(AssertionError):
        draft.remove("/nowhere")
