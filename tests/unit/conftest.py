"""What all unit tests share."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support import images
from tests.support.memory_engine import Entry

# A busy machine is no bug. CI tries the same inputs in every run: new ones are for those who can mend what they find.
settings.register_profile(
    "project",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the golden files instead of comparing them")


@pytest.fixture
def tree() -> dict[str, Entry]:
    """A sound Debian image; break it."""
    return images.debian()
