import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from diskimage_validator.engines.base import Stat
from diskimage_validator.errors import UsageError
from diskimage_validator.facts import FACTS, Unreadable, collect, dump, known, packages, replay
from diskimage_validator.facts.base import FactUnavailableError
from tests.support import images
from tests.support.asking import facts_of
from tests.support.memory_engine import TARGET, Broken, Entry, Link, MemoryEngine


def test_a_sound_image_has_all_facts(tree: dict[str, Entry]) -> None:
    facts = facts_of(tree, disk=images.disk())
    assert [name for name, value in vars(facts).items() if isinstance(value, Unreadable)] == []
    assert facts.kernels == ("6.1.0-28-amd64",)


def test_facts_survive_json(tree: dict[str, Entry]) -> None:
    facts = facts_of(tree, disk=images.disk(), commands=("nonesuch",))
    assert replay(json.dumps(dump(facts))) == facts


def test_facts_that_could_not_be_read_survive_json() -> None:
    facts = facts_of({})
    assert isinstance(facts.os, Unreadable)
    assert replay(json.dumps(dump(facts))) == facts


def test_hostile_names_survive_json(tree: dict[str, Entry]) -> None:
    tree["/usr/local/share/ca-certificates/\udcff\x1b.crt"] = b"x"
    tree["/usr/bin/podman"] = Link("/opt/\udcfe")
    with MemoryEngine(tree, disk=None, target=replace(TARGET, name="/srv/\udcfa.qcow2")) as engine:
        facts = collect(engine)
    assert replay(json.dumps(dump(facts))) == facts


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1}', "\x00"])
def test_what_are_no_facts_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="no facts of this tool"):
        replay(text)


def test_facts_of_another_version_are_refused(tree: dict[str, Entry]) -> None:
    with pytest.raises(UsageError, match="facts of version 99"):
        replay(json.dumps(dump(facts_of(tree)) | {"version": 99}))


def test_one_unreadable_file_costs_one_fact(tree: dict[str, Entry]) -> None:
    tree[images.STATUS] = Broken()
    facts = facts_of(tree)
    assert isinstance(facts.packages, Unreadable)
    assert "Input/output error" in facts.packages.reason
    assert not isinstance(facts.trust, Unreadable)
    assert not isinstance(facts.architecture, Unreadable)


def test_a_crash_of_a_parser_costs_one_fact(tree: dict[str, Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("hostile")

    monkeypatch.setattr(packages, "parse_status", crash)
    facts = facts_of(tree)
    assert isinstance(facts.packages, Unreadable)
    assert facts.packages.reason == "cannot read packages: ZeroDivisionError: hostile"
    assert not isinstance(facts.os, Unreadable)


def test_a_loop_of_links_costs_one_fact(tree: dict[str, Entry]) -> None:
    tree["/usr/bin/podman"] = Link("podman")
    facts = facts_of(tree)
    assert isinstance(facts.commands, Unreadable)
    assert not isinstance(facts.packages, Unreadable)


def test_a_fact_that_is_not_known_raises_with_its_reason() -> None:
    with pytest.raises(FactUnavailableError, match="broken disk"):
        known(Unreadable("broken disk", "buy another", "TargetError"))


def test_progress_is_told(tree: dict[str, Entry]) -> None:
    steps: list[str] = []
    with MemoryEngine(tree) as engine:
        collect(engine, progress=steps.append)
    assert "reading packages" in steps


class Walked(MemoryEngine):
    """Notes whether the whole tree was announced and asked for."""

    def __init__(self, tree: dict[str, Entry]) -> None:
        super().__init__(tree)
        self.said: list[str] = []

    def expect_walk(self) -> None:
        self.said.append("expected")

    def walk(self, path: str) -> Iterator[tuple[str, Stat]]:
        if path == "/":
            self.said.append("walked")
        return super().walk(path)


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_asks_for_the_tree_says_so_before(name: str, tree: dict[str, Entry]) -> None:
    engine = Walked(tree)
    collect(engine, files=["/etc/*.conf"], only=[name])
    assert engine.said == (["expected", "walked"] if FACTS[name].whole else [])
