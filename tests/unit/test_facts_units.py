import pytest

from diskimage_validator.facts.services import Services
from diskimage_validator.facts.units import installed, starts
from tests.support.asking import facts_of
from tests.support.memory_engine import Entry, Link

UNITS = "/usr/lib/systemd/system"
WANTS = "/etc/systemd/system/sockets.target.wants/podman.socket"
SOCKET = "[Socket]\n[Install]\nWantedBy=sockets.target\n"


def read(tree: dict[str, Entry]) -> Services | None:
    found = facts_of({"/etc/machine-id": "", **tree}).services
    assert found is None or isinstance(found, Services)
    return found


@pytest.mark.parametrize(
    ("more", "there", "comes_up"),
    [
        ({}, True, False),
        ({WANTS: Link(f"{UNITS}/podman.socket")}, True, True),
        ({WANTS: Link(f"{UNITS}/podman.socket"), "/etc/systemd/system/podman.socket": Link("/dev/null")}, False, False),
        (
            {
                f"{UNITS}/default.target": "[Unit]\nWants=sockets.target\n",
                f"{UNITS}/sockets.target": "[Unit]\n",
                f"{UNITS}/sockets.target.wants/podman.socket": Link("../podman.socket"),
            },
            True,
            True,
        ),
        ({"/etc/machine-id": "uninitialized\n"}, True, True),
        ({"/etc/machine-id": "uninitialized\n", f"{UNITS}-preset/90.preset": "disable *\n"}, True, False),
    ],
)
def test_what_comes_up(more: dict[str, Entry], there: bool, comes_up: bool) -> None:
    services = read({f"{UNITS}/podman.socket": SOCKET, **more})
    assert (installed(services, "podman.socket") is not None, starts(services, "podman.socket")) == (there, comes_up)


def test_what_is_not_there_does_not_start() -> None:
    assert not starts(read({}), "podman.socket")
    assert not starts(read({f"{UNITS}/docker.service": "[Service]\n"}), "podman.socket")
