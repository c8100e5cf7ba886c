"""Damage of any kind in any format: packages or an error, and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diskimage_validator.facts.base import FactError
from tests.support.rpm_databases import FORMATS, SMALL, made, read, real_headers, tree


def parse(path: str, content: bytes) -> None:
    try:
        read(tree(path, content))
    except FactError:
        return


Changes = list[tuple[int, int]]
CHANGES = st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), min_size=1, max_size=6)


def fuzz(path: str, headers: tuple[bytes, ...]) -> Callable[[Changes, int], None]:
    """Return a test that changes some bytes of a database, cuts one in four, and reads it."""

    @settings(deadline=None, max_examples=150)
    @given(CHANGES, st.integers(0, 2**20))
    def check(changes: Changes, cut: int) -> None:
        content = bytearray(made(path, headers))
        for position, value in changes:
            # Most of what matters is at the start of a page or of the file.
            at = position if position % 3 else position // 4096 * 4096 + position % 64
            content[at % len(content)] = value
        parse(path, bytes(content[: cut % len(content)] if cut % 4 == 0 else content))

    return check


@pytest.mark.timeout(120)
@pytest.mark.parametrize("path", FORMATS)
def test_a_bit_flipped_database_is_read_or_an_error(path: str) -> None:
    fuzz(path, SMALL)()  # type: ignore[call-arg]
    fuzz(path, real_headers())()  # type: ignore[call-arg]
