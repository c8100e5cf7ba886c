"""Whatever the files hold: one fact, with what could be told, in bounded size, and without an exception."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import dump, replay
from diskimage_validator.facts.containers import Containers
from diskimage_validator.facts.endpoints import Endpoints
from diskimage_validator.facts.sources import found as module
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry, MemoryEngine

PATHS = [
    "/etc/apt/sources.list",
    "/etc/apt/sources.list.d/a.sources",
    "/etc/apt/apt.conf.d/10a",
    "/etc/yum.repos.d/a.repo",
    "/etc/dnf/dnf.conf",
    "/etc/zypp/repos.d/a.repo",
    "/etc/pip.conf",
    "/etc/npmrc",
    "/root/.yarnrc",
    "/root/.yarnrc.yml",
    "/etc/gitconfig",
    "/etc/docker/daemon.json",
    "/etc/buildkit/buildkitd.toml",
    "/etc/containers/registries.conf",
    "/etc/containers/policy.json",
    "/etc/containers/storage.conf",
    "/etc/chrony.conf",
    "/etc/resolv.conf",
    "/etc/dnsmasq.conf",
    "/etc/systemd/timesyncd.conf",
    "/etc/environment",
]
WORDS = [
    *"[]{}\"'=:;#,\n \t\\/@%$",
    "deb ",
    "[main]\n",
    "[global]\n",
    "[registry]\n",
    "[[registry]]\n",
    "[[registry.mirror]]\n",
    "[http]\n",
    "[Time]\n",
    "Types: deb\n",
    "URIs: ",
    "http://a.internal/",
    "location = ",
    "registry",
    '"registry-mirrors": ["',
    '{"default": [',
    "baseurl=",
    "index-url = ",
    "server ",
    "confdir /etc",
    "include ",
    "http_proxy=",
    "\udcff\0\x1b",
    "true",
    "1",
]


@given(st.dictionaries(st.sampled_from(PATHS), st.lists(st.sampled_from(WORDS), max_size=14).map("".join), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_text_makes_a_fact_that_survives_json(files: dict[str, str]) -> None:
    tree: dict[str, Entry] = {path: text.encode("utf-8", "surrogateescape") for path, text in files.items()}
    facts = facts_of(tree)
    assert isinstance(facts.endpoints, Endpoints)
    assert isinstance(facts.containers, Containers)
    assert replay(json.dumps(dump(facts))) == facts


def test_there_is_a_limit_to_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FOUND", 5)
    lines = "".join(f"deb http://{number}.internal/ x y\n" for number in range(9))
    found = facts_of({"/etc/apt/sources.list": lines}).endpoints
    assert isinstance(found, Endpoints)
    assert len(found.endpoints) == 5
    assert [trouble.refused for trouble in found.troubles] == [False]


def test_there_is_a_limit_to_the_files_of_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES", 2)
    tree: dict[str, Entry] = {f"/etc/apt/sources.list.d/{n}.list": f"deb http://{n}.internal/ x y\n" for n in "abc"}
    found = facts_of(tree).endpoints
    assert isinstance(found, Endpoints)
    assert [endpoint.host for endpoint in found.endpoints] == ["a.internal", "b.internal"]
    assert [trouble.reason for trouble in found.troubles] == ["more than 2 files: the rest was not read"]


def test_long_texts_are_cut() -> None:
    found = facts_of({"/etc/apt/sources.list": f"deb http://{'a' * 5000}.internal/ x y\n"}).endpoints
    assert isinstance(found, Endpoints)
    assert len(found.endpoints[0].url) <= module.MAX_TEXT


def test_only_the_engine_s_own_errors_are_expected() -> None:
    with MemoryEngine({}) as engine:
        assert module.Found(engine).names("apt", "/nowhere") == []
