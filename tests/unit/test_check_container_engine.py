import pytest

from diskimage_validator.facts.base import FactUnavailableError
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.memory_engine import Broken, Entry, Link

CHECK = "container-engine"
UNITS = "/usr/lib/systemd/system"
DAEMON = "/etc/docker/daemon.json"
STORAGE = "/etc/containers/storage.conf"


def findings(tree: dict[str, Entry], **rules: object) -> list[Finding]:
    return ask(CHECK, tree, images.policy(containers=rules))


@pytest.fixture
def podman(tree: dict[str, Entry]) -> dict[str, Entry]:
    tree["/etc/machine-id"] = ""
    tree[f"{UNITS}/podman.socket"] = "[Socket]\n"
    tree["/etc/systemd/system/sockets.target.wants/podman.socket"] = Link(f"{UNITS}/podman.socket")
    return tree


@pytest.fixture
def docker(tree: dict[str, Entry]) -> dict[str, Entry]:
    tree[f"{UNITS}/docker.service"] = "[Service]\n"
    tree["/etc/systemd/system/multi-user.target.wants/docker.service"] = Link(f"{UNITS}/docker.service")
    tree["/etc/group"] = "docker:x:999:zuul\n"
    return tree


def test_an_engine_that_starts_passes(podman: dict[str, Entry]) -> None:
    finding = only(findings(podman, engines=["docker", "podman"]))
    assert (finding.subject, finding.status, finding.actual) == ("engine", Status.PASS, "podman.socket")


def test_the_wrong_engine_fails(podman: dict[str, Entry]) -> None:
    finding = only(findings(podman, engines=["docker"]))
    assert (finding.status, finding.message) == (
        Status.FAIL,
        "no engine is installed whose units could start at boot",
    )


def test_an_engine_that_is_only_installed_fails(podman: dict[str, Entry]) -> None:
    del podman["/etc/systemd/system/sockets.target.wants/podman.socket"]
    finding = only(findings(podman, engines=["podman"]))
    assert (finding.status, finding.actual, finding.hint) == (
        Status.FAIL,
        "not enabled",
        "systemctl enable podman.socket",
    )


def test_a_masked_engine_fails(podman: dict[str, Entry]) -> None:
    podman["/etc/systemd/system/podman.socket"] = Link("/dev/null")
    assert only(findings(podman, engines=["podman"])).status is Status.FAIL


def test_users_of_docker(docker: dict[str, Entry]) -> None:
    member, other = findings(docker, docker_users=["zuul", "ci"])
    assert (member.subject, member.status) == ("user zuul", Status.PASS)
    assert (other.subject, other.status, other.path) == ("user ci", Status.FAIL, "/etc/group")
    assert "usermod" in other.hint
    docker["/etc/group"] = "root:x:0:\n"
    assert findings(docker, docker_users=["zuul"])[0].message == "there is no group docker"


def test_users_of_docker_where_there_is_none(podman: dict[str, Entry]) -> None:
    assert only(findings(podman, docker_users=["zuul"])).status is Status.SKIP


@pytest.mark.parametrize(
    ("text", "statuses"),
    [
        ('[storage]\ndriver = "overlay"\n', [Status.PASS, Status.PASS]),
        ("", [Status.PASS, Status.PASS]),
        ('[storage]\ndriver = "vfs"\n', [Status.FAIL, Status.PASS]),
        ('[storage]\ndriver = "overlay"\ngraphroot = "/srv"\n', [Status.PASS, Status.FAIL]),
        ("[storage\n", [Status.FAIL]),
        (Broken(), [Status.ERROR]),
    ],
)
def test_storage_of_podman(podman: dict[str, Entry], text: Entry, statuses: list[Status]) -> None:
    podman[STORAGE] = text
    found = findings(podman, storage_drivers=["overlay"], storage_roots=["/var/lib/containers/storage"])
    assert [finding.status for finding in found] == statuses


def test_storage_of_docker(docker: dict[str, Entry]) -> None:
    docker[DAEMON] = '{"data-root": "/srv/docker",\n"storage-driver": "devicemapper"}'
    driver, root = findings(docker, storage_drivers=["overlay2"], storage_roots=["/var/lib/docker"])
    assert (driver.subject, driver.status, driver.actual) == ("docker storage driver", Status.FAIL, "devicemapper")
    assert (root.subject, root.status, root.actual, root.path) == ("docker storage", Status.FAIL, "/srv/docker", DAEMON)


def test_storage_of_an_engine_that_is_not_there_is_nobody_s_business(podman: dict[str, Entry]) -> None:
    podman[DAEMON] = '{"data-root": "/srv/docker"}'
    assert only(findings(podman, storage_roots=["/var/lib/containers/storage"])).subject == "podman storage"


def test_what_cannot_be_read_is_no_pass(docker: dict[str, Entry]) -> None:
    docker["/etc/group"] = Broken()
    policy = images.policy(containers={"docker_users": ["zuul"]})
    with pytest.raises(FactUnavailableError, match="Input/output error"):
        ask(CHECK, docker, policy)


def test_it_has_to_be_asked_for(podman: dict[str, Entry]) -> None:
    assert only(ask(CHECK, podman, images.policy())).status is Status.SKIP
