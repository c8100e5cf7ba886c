"""What fuzzing found worth keeping does no harm; and no harm does what hypothesis thinks of in a moment."""

from functools import cache

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.target import CORPUS, Target
from tests.fuzz.targets import TARGETS
from tests.support.memory_engine import MemoryEngine

WORDS = st.sampled_from(
    [
        b"\n",
        b"=",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b"'",
        b"\\",
        b"#",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"\xff",
        b"http://a:b@c/",
        b"true",
        b"-----BEGIN ",
    ]
)
NOISE = st.one_of(st.binary(max_size=300), st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=40).map(b"".join))
each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@cache
def beginnings(target: Target) -> list[bytes]:
    return target.beginnings()


@each_target
def test_the_corpus_does_no_harm(target: Target) -> None:
    assert beginnings(target), "a target needs something to begin with"
    for data in beginnings(target):
        target.feed(data)


@each_target
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(NOISE)
@example(b"")
@example(b"\xff\xfe\x00" * 100)
@example(b"[" * 3000)
@example(b"{" * 3000)
@example(b'{"a":' * 2000)
def test_what_hypothesis_thinks_of_does_no_harm(target: Target, data: bytes) -> None:
    target.feed(data)


@each_target
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_file_does_no_harm(target: Target, data: st.DataObject) -> None:
    sound = data.draw(st.sampled_from(beginnings(target)))
    start = data.draw(st.integers(0, len(sound)))
    end = data.draw(st.integers(start, min(start + 40, len(sound))))
    target.feed(sound[:start] + data.draw(NOISE) + sound[end:])


@each_target
def test_the_input_is_read(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    original = MemoryEngine._read

    def note(self: MemoryEngine, path: str, offset: int, size: int) -> bytes:
        read.add(path)
        return original(self, path, offset, size)

    monkeypatch.setattr(MemoryEngine, "_read", note)
    target.feed(beginnings(target)[0])
    assert not target.path or target.path in read


def test_no_corpus_is_left_over() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)


def test_the_corpus_is_small() -> None:
    for target in TARGETS.values():
        sizes = [path.stat().st_size for path in target.corpus()]
        assert len(sizes) <= 30
        assert sum(sizes) <= 60 * 1024
