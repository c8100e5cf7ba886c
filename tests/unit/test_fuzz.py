"""What fuzzing found worth keeping does no harm; and no harm does what hypothesis thinks of in a moment."""

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from diskimage_validator.facts import FACTS
from tests.fuzz import CORPUS, TARGETS, Target

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


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_the_corpus_does_no_harm(target: Target) -> None:
    for path in target.corpus():
        target.feed(path.read_bytes())


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=300), st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=40).map(b"".join)))
@example(b"")
@example(b"\xff\xfe\x00" * 100)
@example(b"[" * 3000)
@example(b"{" * 3000)
@example(b'{"a":' * 2000)
def test_what_hypothesis_thinks_of_does_no_harm(target: Target, data: bytes) -> None:
    target.feed(data)


def test_targets_are_of_facts_that_exist_and_no_corpus_is_left_over() -> None:
    assert {target.fact for target in TARGETS.values()} <= set(FACTS)
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
