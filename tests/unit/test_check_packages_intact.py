"""Files of packages, held against what dpkg noted of them."""

import hashlib
import json
from typing import Any

import pytest

from diskimage_validator.checks import CHECKS
from diskimage_validator.checks.base import Question
from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import Facts, collect, dump, package_files, replay
from diskimage_validator.facts.package_files import PackageFiles
from diskimage_validator.model import Finding, Status
from tests.support import images, pki
from tests.support.asking import ask, facts_of, only
from tests.support.images import STATUS, stanza
from tests.support.memory_engine import Broken, Entry, Folder, Link, MemoryEngine

CHECK = "packages-intact"
INFO = "/var/lib/dpkg/info"
PROGRAM, MANUAL, CONFIG = "/usr/bin/tool", "/usr/share/doc/tool/manual", "/etc/tool.conf"


def md5(content: str) -> str:
    return hashlib.md5(content.encode()).hexdigest()


def sums(files: dict[str, str]) -> str:
    return "".join(f"{md5(content)}  {path.lstrip('/')}\n" for path, content in files.items())


@pytest.fixture
def tree() -> dict[str, Entry]:
    """One package with a program, a manual and a configuration file, and one without files."""
    conffiles = f"Conffiles:\n {CONFIG} {md5('config')}\n"
    return {
        "/usr/lib/os-release": images.OS_RELEASE,
        STATUS: stanza("tool") + conffiles + "\n" + stanza("meta"),
        f"{INFO}/tool.md5sums": sums({PROGRAM: "program", MANUAL: "manual"}),
        f"{INFO}/tool.list": f"/.\n/usr\n{PROGRAM}\n{MANUAL}\n{CONFIG}\n",
        f"{INFO}/meta.list": "/.\n/usr/share/doc/meta\n",
        "/usr/share/doc/meta": Folder(),
        PROGRAM: "program",
        MANUAL: "manual",
        CONFIG: "config",
    }


def intact(tree: dict[str, Entry], **rules: Any) -> list[Finding]:
    """Judge the tree; ``packages`` are the patterns that are asked for."""
    return judged(facts(tree, *rules.get("packages", ["*"])), **rules)


def facts(tree: dict[str, Entry], *packages: str) -> Facts:
    with MemoryEngine(tree) as engine:
        return collect(engine, intact=packages or ["*"], only=CHECKS[CHECK].needs)


def judged(facts: Facts, **rules: Any) -> list[Finding]:
    return list(CHECKS[CHECK].run(Question(facts, images.policy(packages={"intact": rules}), pki.NOW)))


def fact(tree: dict[str, Entry]) -> PackageFiles:
    found = facts(tree).package_files
    assert isinstance(found, PackageFiles), found
    return found


def test_files_as_the_package_brought_them_pass(tree: dict[str, Entry]) -> None:
    finding = only(intact(tree))
    assert (finding.status, finding.message) == (
        Status.PASS,
        "3 files of 2 packages were held against their digests",
    )


def test_nothing_asked_is_skipped_and_reads_no_file(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
    tree[PROGRAM] = Broken()
    assert facts_of(tree).package_files is None


def test_a_changed_file_fails_with_both_digests(tree: dict[str, Entry]) -> None:
    tree[PROGRAM] = "other"
    finding = only(intact(tree))
    assert (finding.status, finding.subject, finding.path) == (Status.FAIL, PROGRAM, PROGRAM)
    assert finding.message == "the file of tool:amd64 is not what the package brought"
    assert (finding.expected, finding.actual) == (f"md5:{md5('program')}", f"md5:{md5('other')}")


@pytest.mark.parametrize("gone", [None, Link("/nowhere")])
def test_a_missing_file_fails(tree: dict[str, Entry], gone: Link | None) -> None:
    del tree[PROGRAM]
    tree |= {PROGRAM: gone} if gone else {}
    finding = only(intact(tree))
    assert (finding.subject, finding.actual) == (PROGRAM, "missing")


def test_a_folder_in_the_place_of_a_file_fails(tree: dict[str, Entry]) -> None:
    tree[PROGRAM] = Folder()
    finding = only(intact(tree))
    assert (finding.message, finding.actual) == ("the file of tool:amd64 is something else", "a folder")


def test_a_link_counts_as_what_it_leads_to(tree: dict[str, Entry]) -> None:
    tree |= {PROGRAM: Link("tool-1"), f"{PROGRAM}-1": "program"}
    assert only(intact(tree)).status is Status.PASS
    tree[f"{PROGRAM}-1"] = "other"
    assert only(intact(tree)).subject == PROGRAM


@pytest.mark.parametrize("content", ["edited", None])
def test_configuration_may_be_edited_or_removed_unless_the_policy_says_otherwise(
    tree: dict[str, Entry], content: str | None
) -> None:
    del tree[CONFIG]
    tree |= {CONFIG: content} if content else {}
    finding = only(intact(tree))
    assert finding.message.endswith("; of 1 configuration files 1 differ, as allowed")
    finding = only(intact(tree, configuration=True))
    assert (finding.status, finding.subject) == (Status.FAIL, CONFIG)
    assert finding.message.startswith("the configuration file of tool:amd64 is ")
    assert only(intact(tree, configuration=True, changed=["/etc/*"])).status is Status.PASS


def test_patterns_allow_what_differs(tree: dict[str, Entry]) -> None:
    tree[PROGRAM] = "other"
    del tree[MANUAL]
    assert [finding.subject for finding in intact(tree)] == [PROGRAM, MANUAL]
    assert only(intact(tree, missing=["/usr/**"])).subject == PROGRAM
    assert only(intact(tree, changed=[PROGRAM])).subject == MANUAL
    finding = only(intact(tree, changed=[PROGRAM], missing=["/usr/share/doc/**"]))
    assert finding.message.endswith("; 2 others differ, as allowed")


def test_only_packages_that_are_asked_for_are_read_and_each_pattern_has_to_match(tree: dict[str, Entry]) -> None:
    tree[PROGRAM] = "other"
    assert only(intact(tree, packages=["tool"])).subject == PROGRAM
    finding = only(intact(tree, packages=["tool*", "toll"], changed=[PROGRAM]))
    assert (finding.status, finding.subject) == (Status.FAIL, "toll")


def test_nothing_to_go_by_fails(tree: dict[str, Entry]) -> None:
    finding = only(intact(tree, packages=["meta"]))
    assert finding.status is Status.FAIL
    assert finding.message.startswith("no file was held against a digest")


@pytest.mark.parametrize("content", [None, ""])
def test_a_package_with_files_and_without_digests_fails_unless_allowed(
    tree: dict[str, Entry], content: str | None
) -> None:
    del tree[f"{INFO}/tool.md5sums"]
    tree |= {f"{INFO}/tool.md5sums": content} if content is not None else {}
    finding = only(intact(tree))
    assert (finding.status, finding.subject) == (Status.FAIL, "tool")
    assert only(intact(tree, unlisted=["to*"])).status is Status.PASS


def test_a_package_of_which_dpkg_lost_everything_fails(tree: dict[str, Entry]) -> None:
    del tree[f"{INFO}/meta.list"]
    assert only(intact(tree)).subject == "meta"


@pytest.mark.parametrize("damage", ["no sum\n", "0" * 32, Broken(), Folder(), Link("/nowhere")])
def test_a_list_that_cannot_be_read_could_not_tell(tree: dict[str, Entry], damage: Entry) -> None:
    tree[f"{INFO}/tool.md5sums"] = damage
    finding = only(intact(tree))
    assert (finding.status, finding.subject) == (Status.ERROR, f"{INFO}/tool.md5sums")


def test_a_file_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[PROGRAM] = Broken()
    finding = only(intact(tree))
    assert (finding.status, finding.subject) == (Status.ERROR, PROGRAM)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/var/lib/dpkg/diversions", "/a\n"),
        ("/etc/dpkg/dpkg.cfg", Broken()),
        (STATUS, stanza("tool") + "Conffiles:\n /etc/tool.conf\n"),
    ],
)
def test_damage_that_concerns_every_package_could_not_tell(tree: dict[str, Entry], path: str, content: Entry) -> None:
    tree[path] = content
    with pytest.raises(ValidatorError):
        intact(tree)


def test_a_diverted_file_is_held_where_it_lies(tree: dict[str, Entry]) -> None:
    tree["/var/lib/dpkg/diversions"] = f"{PROGRAM}\n{PROGRAM}.real\n:\n"
    tree |= {f"{PROGRAM}.real": "program", PROGRAM: "ours"}
    assert only(intact(tree)).status is Status.PASS
    tree[f"{PROGRAM}.real"] = "other"
    assert only(intact(tree)).subject == f"{PROGRAM}.real"
    del tree[f"{PROGRAM}.real"]
    assert only(intact(tree)).subject == f"{PROGRAM}.real"


def test_the_package_that_diverts_keeps_the_path(tree: dict[str, Entry]) -> None:
    tree["/var/lib/dpkg/diversions"] = f"{PROGRAM}\n{PROGRAM}.real\ntool\n"
    assert only(intact(tree)).status is Status.PASS


def test_a_file_that_another_package_took_over_is_left_out(tree: dict[str, Entry]) -> None:
    tree[PROGRAM] = "of another package"
    tree[f"{INFO}/tool.list"] = f"/.\n{MANUAL}\n{CONFIG}\n"
    assert only(intact(tree)).message.endswith("; 1 were left out")


def test_files_that_dpkg_was_told_not_to_install_are_left_out(tree: dict[str, Entry]) -> None:
    tree["/etc/dpkg/dpkg.cfg.d/docker"] = "path-exclude=/usr/share/doc/*\n"
    del tree[MANUAL]
    assert only(intact(tree)).message.endswith("; 1 were left out")
    tree["/etc/dpkg/dpkg.cfg"] = "path-include=/usr/share/doc/tool/*\n"
    assert only(intact(tree)).subject == MANUAL
    tree[MANUAL] = "other"
    del tree["/etc/dpkg/dpkg.cfg"]
    assert only(intact(tree)).subject == MANUAL, "what is there has to be right"


def test_merged_folders_are_followed(tree: dict[str, Entry]) -> None:
    tree[f"{INFO}/tool.md5sums"] = sums({"/bin/tool": "program"})
    tree["/bin"] = Link("usr/bin")
    assert only(intact(tree)).message.startswith("2 files of 2 packages")


@pytest.mark.parametrize("words", ["deinstall ok config-files", "install reinstreq half-installed"])
def test_packages_that_are_not_there_are_not_held(tree: dict[str, Entry], words: str) -> None:
    tree[STATUS] = str(tree[STATUS]) + "\n" + stanza("other", status=words)
    tree[f"{INFO}/other.md5sums"] = sums({"/usr/bin/other": "x"})
    assert only(intact(tree)).message.startswith("3 files of 2 packages")


def test_each_architecture_of_a_package_has_its_list(tree: dict[str, Entry]) -> None:
    tree[STATUS] = "\n".join(stanza("lib", architecture=name) for name in ("amd64", "i386"))
    for name in ("amd64", "i386"):
        tree[f"{INFO}/lib:{name}.md5sums"] = sums({f"/usr/lib/{name}/lib.so": name})
        tree[f"/usr/lib/{name}/lib.so"] = name
    assert only(intact(tree)).message.startswith("2 files of 2 packages")
    tree["/usr/lib/i386/lib.so"] = "x"
    assert "lib:i386" in only(intact(tree)).message


def test_distroless_images_have_lists_beside_their_status(tree: dict[str, Entry]) -> None:
    for path in [path for path in tree if path.startswith("/var/lib/dpkg")]:
        del tree[path]
    tree["/var/lib/dpkg/status.d/tool"] = "Package: tool\nVersion: 1\nArchitecture: amd64\n"
    tree["/var/lib/dpkg/status.d/tool.md5sums"] = sums({PROGRAM: "program"})
    assert only(intact(tree)).message.startswith("1 files of 1 packages")
    tree[PROGRAM] = "x"
    assert only(intact(tree)).subject == PROGRAM


def test_hostile_names_survive_json_and_reach_no_file_outside(tree: dict[str, Entry]) -> None:
    tree[f"{INFO}/tool.md5sums"] = f"{md5('x')}  usr/\x1b[31m\n{md5('x')}  ../../etc/\udcff\n".encode(
        errors="surrogateescape"
    )
    tree[f"{INFO}/tool.list"] = ""
    found = facts(tree)
    assert replay(json.dumps(dump(found))).package_files == found.package_files
    subjects = [finding.subject for finding in judged(found)]
    assert subjects == ["/../../etc/\\xff", "/usr/\x1b[31m"]


def test_facts_without_the_files_or_with_others_could_not_tell(tree: dict[str, Entry]) -> None:
    with pytest.raises(ValidatorError, match="were not read when the facts were collected"):
        judged(facts_of(tree))
    with pytest.raises(ValidatorError, match="the files of other packages were read: meta"):
        judged(facts(tree, "meta"))


def test_there_is_an_end_to_what_is_listed_and_the_number_is_right(
    tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_files, "MAX_LISTED", 1)
    tree |= {PROGRAM: "a", MANUAL: "b"}
    found = intact(tree, changed=["/usr/**"])
    assert [finding.message for finding in found] == ["1 more are not listed"]


@pytest.mark.parametrize(
    ("limit", "value", "reason"), [("MAX_BYTES", 18, "files have 19 bytes"), ("MAX_SECONDS", -1.0, "took more than")]
)
def test_bounds_end_it(
    tree: dict[str, Entry], limit: str, value: float, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_files, limit, value)
    with pytest.raises(ValidatorError, match=reason):
        intact(tree)


def test_too_many_files_or_too_large_lists_end_it(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diskimage_validator.facts.brought_files.MAX_FILES", 2)
    with pytest.raises(ValidatorError, match="more than 2 files"):
        intact(tree)
    monkeypatch.setattr("diskimage_validator.facts.dpkg_files.MAX_LISTS", 50)
    with pytest.raises(ValidatorError, match="more than 50 bytes"):
        intact(tree)


def test_files_that_cannot_be_read_end_it_if_they_are_many(
    tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package_files, "MAX_PROBLEMS", 0)
    tree[PROGRAM] = Broken()
    with pytest.raises(ValidatorError, match="more than 0 files of packages cannot be read"):
        intact(tree)


def test_progress_is_told_for_each_batch(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_files, "BATCH_FILES", 2)
    steps: list[str] = []
    with MemoryEngine(tree) as engine:
        collect(engine, only=["package_files"], progress=steps.append)
    assert steps[-2:] == ["reading installed files: 0 of 3", "reading installed files: 2 of 3"]
