"""Two targets' facts: what differs is named by what it is."""

from diskimage_validator.comparison.meaning import Change, compare_facts
from tests.support import images, pki
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry, Link


def changes(before: dict[str, Entry], after: dict[str, Entry]) -> list[Change]:
    return compare_facts(facts_of(before, disk=images.disk()), facts_of(after, disk=images.disk()))


def test_the_same_tree_does_not_differ(tree: dict[str, Entry]) -> None:
    assert changes(tree, dict(tree)) == []


def test_packages_by_version_and_state(tree: dict[str, Entry]) -> None:
    after = dict(tree)
    after[images.STATUS] = (
        images.status({**images.PACKAGES, "jq": "1.7", "nano": "7"})
        + "\n"
        + images.stanza("vim", "9", "deinstall ok config-files")
    )
    assert [change for change in changes(tree, after) if change.fact == "packages"] == [
        Change("packages", "jq:amd64", "1.6-2.1", "1.7"),
        Change("packages", "nano:amd64", None, "7"),
        Change("packages", "vim:amd64", None, "9 (config-files)"),
    ]


def test_cas_by_name_and_digest(tree: dict[str, Entry]) -> None:
    after = dict(tree)
    after[images.BUNDLE] = pki.pem(pki.certificate("Public Root"))
    gone = [change for change in changes(tree, after) if change.fact == "trust"]
    assert [change.subject.split(" (")[0] for change in gone] == ["CN=Internal CA", "CN=Public Root\\, expired"]
    assert {(change.old, change.new) for change in gone} == {("trusted", None)}


def test_other_facts_by_their_place(tree: dict[str, Entry]) -> None:
    after = dict(tree)
    after["/usr/bin/jq"] = Link("podman")
    assert Change("commands", "programs.jq.real", "/usr/bin/jq", "/usr/bin/podman") in changes(tree, after)


def test_what_became_unreadable_is_a_change(tree: dict[str, Entry]) -> None:
    after = dict(tree)
    del after[images.STATUS]
    assert any(change.fact == "packages" and change.subject == "reason" for change in changes(tree, after))
