"""What all unit tests share."""

import pytest

from tests.support import images
from tests.support.memory_engine import Entry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing them")


@pytest.fixture
def tree() -> dict[str, Entry]:
    """A sound Debian image; break it."""
    return images.debian()
