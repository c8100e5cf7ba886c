"""Our frozen data classes behave as the standard library's do."""

import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field, replace
from typing import Any

import pytest

from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class Ours:
    """A class."""

    name: str
    sizes: tuple[int, ...] = ()
    seen: int = field(default=0, compare=False, repr=False)

    def __str__(self) -> str:
        return f"<{self.name}>"


@dataclasses.dataclass(frozen=True)
class Theirs:
    """The same class."""

    name: str
    sizes: tuple[int, ...] = ()
    seen: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True)
class Empty:
    """Nothing in it."""


@dataclass
class Changing:
    """May be changed."""

    count: int = 0


def test_text_and_fields_are_the_standard_librarys() -> None:
    assert repr(Ours("a", (1,))) == repr(Theirs("a", (1,))).replace("Theirs", "Ours")
    assert str(Ours("a")) == "<a>"
    assert [one.name for one in dataclasses.fields(Ours)] == [one.name for one in dataclasses.fields(Theirs)]
    assert dataclasses.asdict(Ours("a")) == dataclasses.asdict(Theirs("a"))
    assert Ours.__match_args__ == Theirs.__match_args__


def test_instances_are_equal_by_the_fields_that_are_compared() -> None:
    assert Ours("a", (1,), seen=1) == Ours("a", (1,), seen=2)
    assert hash(Ours("a", (1,), seen=1)) == hash(Ours("a", (1,), seen=2))
    assert Ours("a") != Ours("b")
    theirs: object = Theirs("a")
    assert Ours("a") != theirs
    assert len({Ours("a"), Ours("a"), Ours("b")}) == 2
    assert Empty() == Empty()
    assert len({Empty(), Empty()}) == 1


def test_what_cannot_be_hashed_says_so() -> None:
    untyped: Any = Ours
    with pytest.raises(TypeError, match="unhashable"):
        hash(untyped([1]))


@pytest.mark.parametrize("name", ["name", "sizes", "unknown"])
def test_nothing_can_be_set_or_deleted(name: str) -> None:
    one = Ours("a")
    with pytest.raises(FrozenInstanceError):
        setattr(one, name, "b")
    with pytest.raises(FrozenInstanceError):
        delattr(one, name)
    assert one == Ours("a")


def test_copies_and_pickles_are_equal() -> None:
    one = Ours("a", (1, 2), seen=3)
    assert replace(one, name="b") == Ours("b", (1, 2))
    copied = pickle.loads(pickle.dumps(one))
    assert (copied, copied.seen) == (one, 3)
    with pytest.raises(FrozenInstanceError):
        copied.name = "b"


def test_a_class_that_is_not_frozen_is_the_standard_librarys() -> None:
    one = Changing()
    one.count = 2
    assert one == Changing(2)
