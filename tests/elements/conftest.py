"""Fixtures for running hooks of elements."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.elements.fakeroot import FakeRoot
from tests.elements.pki import Issued, make_ca

MakeRoot = Callable[..., FakeRoot]


@pytest.fixture
def fake_root(tmp_path: Path) -> MakeRoot:
    """Return ``make(element, family="debian")``, which builds a FakeRoot; family: debian, ubuntu, redhat, suse."""
    if os.geteuid() != 0:
        pytest.fail("hooks run in a chroot: needs root")
    count = iter(range(100))

    def make(element: str, family: str = "debian") -> FakeRoot:
        return FakeRoot(tmp_path / f"build-{next(count)}", element, family)

    return make


@pytest.fixture(scope="session")
def ca() -> Issued:
    """Return a CA that is fine: "Internal Root CA"."""
    return make_ca("Internal Root CA")
