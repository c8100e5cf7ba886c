"""container-tooling: which packages each distribution gets, and what happens with Docker."""

import tomllib

import pytest

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import FakeRoot
from tests.elements.packages import packages

TOOLS = {"buildah", "skopeo", "jq"}
DOCKER_HOOK = "post-install.d/60-container-tooling-docker"
PODMAN_HOOK = "post-install.d/60-container-tooling-podman"


@pytest.mark.parametrize(
    ("distro", "release"),
    [
        ("debian", "bookworm"),
        ("debian", "trixie"),
        ("ubuntu", "jammy"),
        ("ubuntu", "noble"),
        ("rocky", "9"),
        ("almalinux", "10"),
        ("centos", "10-stream"),
        ("fedora", "42"),
        ("opensuse", "15.6"),
    ],
)
def test_tools_and_podman_are_the_default_everywhere(distro: str, release: str) -> None:
    found = packages("container-tooling", distro, release)
    assert found >= TOOLS | {"podman"}
    assert not [name for name in found if "docker" in name or "moby" in name]


@pytest.mark.parametrize(
    ("distro", "release", "docker"),
    [
        ("debian", "bookworm", {"docker.io"}),
        ("debian", "trixie", {"docker.io", "docker-cli", "docker-buildx"}),
        ("ubuntu", "jammy", {"docker.io", "docker-buildx"}),
        ("ubuntu", "noble", {"docker.io", "docker-buildx"}),
        ("rocky", "9", {"docker-ce", "docker-ce-cli", "docker-buildx-plugin"}),
        ("fedora", "42", {"moby-engine", "docker-cli", "docker-buildx"}),
        ("opensuse", "15.6", {"docker", "docker-buildx"}),
    ],
)
def test_docker_comes_with_its_cli_and_buildx_where_there_is_one(distro: str, release: str, docker: set[str]) -> None:
    found = packages("container-tooling", distro, release, {"DIB_CONTAINER_ENGINE": "docker"})
    assert {name for name in found if "docker" in name or "moby" in name} == docker
    assert found >= TOOLS
    assert "podman" not in found


@pytest.mark.parametrize(
    ("release", "network"), [("bookworm", "slirp4netns"), ("trixie", "passt"), ("noble", "slirp4netns")]
)
def test_rootless_network_is_the_one_this_podman_asks_for(release: str, network: str) -> None:
    distro = "ubuntu" if release == "noble" else "debian"
    assert {"slirp4netns", "passt"} & packages("container-tooling", distro, release) >= {network}


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_debian_gets_what_containers_need_besides_the_tools(release: str, engine: str) -> None:
    found = packages("container-tooling", "debian", release, {"DIB_CONTAINER_ENGINE": engine})
    assert found >= {"crun", "netavark", "aardvark-dns", "uidmap", "fuse-overlayfs", "apparmor", "containers-storage"}


def test_unknown_engine_is_refused_before_the_build(fake_root: MakeRoot) -> None:
    run = fake_root("container-tooling").run_outside(
        "root.d/00-container-tooling-check-engine", {"DIB_CONTAINER_ENGINE": "containerd"}
    )
    assert run.status == 1
    assert run.output.splitlines() == [
        "ERROR: DIB_CONTAINER_ENGINE is 'containerd'; it must be podman or docker",
    ]


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_known_engines_are_accepted(fake_root: MakeRoot, engine: str) -> None:
    run = fake_root("container-tooling").run_outside(
        "root.d/00-container-tooling-check-engine", {"DIB_CONTAINER_ENGINE": engine}
    )
    assert run.ok, run.output


def with_units(root: FakeRoot, *names: str) -> FakeRoot:
    for name in names:
        root.write(f"/usr/lib/systemd/system/{name}", "[Install]\nWantedBy=default.target\n")
    return root


def enabled_units(root: FakeRoot) -> set[str]:
    links = (path for path, entry in root.tree().items() if entry.kind == "l" and ".target.wants/" in path)
    return {path.rpartition("/")[2] for path in links}


@pytest.mark.parametrize("family", ["debian", "redhat", "suse"])
def test_docker_starts_at_boot_and_its_group_has_the_zuul_user(fake_root: MakeRoot, family: str) -> None:
    root = with_units(fake_root("container-tooling", family), "docker.service")
    root.write("/etc/passwd", root.read("/etc/passwd") + "worker:x:1000:1000::/home/worker:/bin/bash\n")
    root.write("/etc/group", root.read("/etc/group") + "worker:x:1000:\ndocker:x:999:\n")
    root.run_twice(DOCKER_HOOK, {"DIB_CONTAINER_ENGINE": "docker", "DIB_ZUUL_NODE_USER": "worker"})
    assert "docker.service" in enabled_units(root)
    assert "docker:x:999:worker" in root.read("/etc/group").splitlines()


def test_docker_needs_no_zuul_user(fake_root: MakeRoot) -> None:
    root = with_units(fake_root("container-tooling"), "docker.service")
    run = root.run_inside(DOCKER_HOOK, {"DIB_CONTAINER_ENGINE": "docker"})
    assert run.ok, run.output


def test_podman_keeps_its_socket_and_nothing_that_reaches_out(fake_root: MakeRoot) -> None:
    root = with_units(fake_root("container-tooling"), "podman.socket", "podman-auto-update.timer")
    root.write("/usr/lib/systemd/system/podman.service", "[Install]\nAlso=podman.socket\nWantedBy=default.target\n")
    wants = root.path / "etc/systemd/system/default.target.wants"
    wants.mkdir(parents=True)
    for name in ("podman.service", "podman-auto-update.timer"):
        (wants / name).symlink_to(f"/usr/lib/systemd/system/{name}")
    root.run_twice(PODMAN_HOOK, {"DIB_CONTAINER_ENGINE": "podman"})
    assert enabled_units(root) == {"podman.socket"}


@pytest.mark.parametrize(("hook", "engine"), [(DOCKER_HOOK, "podman"), (PODMAN_HOOK, "docker")])
def test_the_engine_not_chosen_is_left_alone(fake_root: MakeRoot, hook: str, engine: str) -> None:
    root = with_units(fake_root("container-tooling"), "docker.service", "podman.service", "podman.socket")
    before = root.tree()
    run = root.run_inside(hook, {"DIB_CONTAINER_ENGINE": engine})
    assert run.ok, run.output
    assert root.tree() == before


@pytest.mark.parametrize(("family", "folder"), [("debian", "/usr/lib/podman"), ("redhat", "/usr/libexec/podman")])
def test_network_stack_is_named_where_netavark_is_installed(fake_root: MakeRoot, family: str, folder: str) -> None:
    root = fake_root("container-tooling", family)
    root.write(f"{folder}/netavark", "", 0o755)
    root.run_twice("install.d/60-container-tooling-network")
    config = tomllib.loads(root.read("/etc/containers/containers.conf.d/10-container-tooling.conf"))
    assert config == {"network": {"network_backend": "netavark"}}


def test_network_stack_is_not_named_where_there_is_no_netavark(fake_root: MakeRoot) -> None:
    root = fake_root("container-tooling", "ubuntu")
    root.run_twice("install.d/60-container-tooling-network")
    assert not root.exists("/etc/containers")
