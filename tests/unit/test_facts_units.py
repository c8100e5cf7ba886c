import pytest

from diskimage_validator.facts.services import Services
from diskimage_validator.facts.units import installed, may_start, starts
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
        ({}, True, "no"),
        ({WANTS: Link(f"{UNITS}/podman.socket")}, True, "yes"),
        ({WANTS: Link(f"{UNITS}/podman.socket"), "/etc/systemd/system/podman.socket": Link("/dev/null")}, False, "no"),
        (
            {
                f"{UNITS}/default.target": "[Unit]\nWants=sockets.target\n",
                f"{UNITS}/sockets.target": "[Unit]\n",
                f"{UNITS}/sockets.target.wants/podman.socket": Link("../podman.socket"),
            },
            True,
            "yes",
        ),
        ({"/etc/machine-id": "uninitialized\n"}, True, "perhaps"),
        ({"/etc/machine-id": "uninitialized\n", f"{UNITS}-preset/90.preset": "disable *\n"}, True, "no"),
    ],
)
def test_what_comes_up(more: dict[str, Entry], there: bool, comes_up: str) -> None:
    services = read({f"{UNITS}/podman.socket": SOCKET, **more})
    assert (installed(services, "podman.socket") is not None) is there
    assert starts(services, "podman.socket") is (comes_up == "yes")
    assert may_start(services, "podman.socket") is (comes_up != "no")


def test_what_is_not_there_does_not_start() -> None:
    assert not starts(read({}), "podman.socket")
    assert not starts(read({f"{UNITS}/docker.service": "[Service]\n"}), "podman.socket")
