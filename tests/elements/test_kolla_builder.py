"""kolla-builder: packages, settings, the disk for container storage, and a root file system that grows."""

from pathlib import Path

import pytest

from tests.elements.conftest import MakeRoot
from tests.elements.fakeroot import ELEMENTS, FakeRoot
from tests.elements.packages import packages

ELEMENT = ELEMENTS / "kolla-builder"
CHECK = "root.d/00-kolla-builder-check"
STORAGE = "install.d/60-kolla-builder-storage"
SERVICES = "post-install.d/80-kolla-builder-services"
DEFAULTS = {"DIB_CONTAINER_ENGINE": "podman", "DIB_RELEASE": "trixie", "DIB_KOLLA_BUILDER_STORAGE_LABEL": ""}
UNITS = "/usr/lib/systemd/system"
GROW = "usr/local/sbin/kolla-builder-grow-root"


@pytest.mark.parametrize(
    ("distro", "release", "expected"),
    [
        ("debian", "bookworm", {"python3-venv", "git", "cloud-guest-utils"}),
        ("ubuntu", "noble", {"python3-venv", "git", "cloud-guest-utils"}),
        ("rocky", "9", {"python3", "git-core", "cloud-utils-growpart"}),
        ("fedora", "42", {"python3", "git-core", "cloud-utils-growpart"}),
        ("opensuse", "15.6", {"python3", "git-core", "growpart"}),
    ],
)
def test_packages(distro: str, release: str, expected: set[str]) -> None:
    found = packages("kolla-builder", distro, release)
    assert found >= expected
    assert not [name for name in found if "gcc" in name or name.endswith(("-dev", "-devel"))]


class TestSettings:
    @pytest.mark.parametrize("label", ["", "ephemeral0", "a", "Kolla_store-1"])
    @pytest.mark.parametrize("engine", ["docker", "podman"])
    def test_fit_ones_are_accepted(self, fake_root: MakeRoot, label: str, engine: str) -> None:
        settings = {"DIB_KOLLA_BUILDER_STORAGE_LABEL": label, "DIB_CONTAINER_ENGINE": engine}
        run = fake_root("kolla-builder").run_outside(CHECK, DEFAULTS | settings)
        assert run.ok, run.output

    @pytest.mark.parametrize("label", ["with space", "../etc", "x" * 17, "a\nb", "ä", "a/b", "$(id)"])
    def test_a_label_that_cannot_be_is_refused(self, fake_root: MakeRoot, label: str) -> None:
        run = fake_root("kolla-builder").run_outside(CHECK, DEFAULTS | {"DIB_KOLLA_BUILDER_STORAGE_LABEL": label})
        assert run.status == 1
        assert run.output.startswith("ERROR: DIB_KOLLA_BUILDER_STORAGE_LABEL is ")
        assert run.output.count("ERROR") == 1

    @pytest.mark.parametrize("settings", [{}, {"DIB_ROOT_LABEL": "img-rootfs"}])
    def test_the_label_of_the_root_is_refused(self, fake_root: MakeRoot, settings: dict[str, str]) -> None:
        label = settings.get("DIB_ROOT_LABEL", "cloudimg-rootfs")
        environment = DEFAULTS | settings | {"DIB_KOLLA_BUILDER_STORAGE_LABEL": label}
        run = fake_root("kolla-builder").run_outside(CHECK, environment)
        assert run.status == 1
        assert "the image's own root file system" in run.output

    def test_docker_without_buildx_is_refused(self, fake_root: MakeRoot) -> None:
        settings = {"DIB_CONTAINER_ENGINE": "docker", "DIB_RELEASE": "bookworm"}
        run = fake_root("kolla-builder").run_outside(CHECK, DEFAULTS | settings)
        assert run.status == 1
        assert run.output.startswith("ERROR: kolla-builder: Debian 12 has no buildx")
        assert run.output.count("\n") == 1


class TestStorage:
    @pytest.mark.parametrize(("engine", "folder"), [("docker", "docker"), ("podman", "containers")])
    @pytest.mark.parametrize("family", ["debian", "redhat", "suse"])
    def test_the_disk_of_that_label_wants_to_be_mounted(
        self, fake_root: MakeRoot, family: str, engine: str, folder: str
    ) -> None:
        root = fake_root("kolla-builder", family)
        settings = {"DIB_CONTAINER_ENGINE": engine, "DIB_KOLLA_BUILDER_STORAGE_LABEL": "kolla-store"}
        root.run_twice(STORAGE, DEFAULTS | settings)
        unit = root.read(f"{UNITS}/var-lib-{folder}.mount")
        assert f"What=/dev/disk/by-label/kolla-store\nWhere=/var/lib/{folder}\n" in unit
        # The name that systemd gives the device /dev/disk/by-label/kolla-store.
        wants = r"dev-disk-by\x2dlabel-kolla\x2dstore.device.wants"
        assert root.exists(f"/etc/systemd/system/{wants}/var-lib-{folder}.mount")

    def test_no_label_no_mount(self, fake_root: MakeRoot) -> None:
        root = fake_root("kolla-builder")
        before = root.tree()
        run = root.run_inside(STORAGE, DEFAULTS)
        assert run.ok, run.output
        assert root.tree() == before


class TestFiles:
    def test_every_kernel_setting_is_one_that_exists(self) -> None:
        lines = (ELEMENT / "static/etc/sysctl.d/60-kolla-builder.conf").read_text().splitlines()
        settings = [line.partition(" = ")[0] for line in lines if line and not line.startswith("#")]
        assert settings
        for name in settings:
            assert Path("/proc/sys", name.replace(".", "/")).exists(), name

    def test_root_grows_at_boot_before_an_engine_starts(self, fake_root: MakeRoot) -> None:
        root = fake_root("kolla-builder")
        name = "kolla-builder-grow-root.service"
        unit = (ELEMENT / "init-scripts/systemd" / name).read_text()
        root.write(f"{UNITS}/{name}", unit)
        root.write("/" + GROW, "", 0o755)
        root.run_twice(SERVICES)
        assert root.exists(f"/etc/systemd/system/multi-user.target.wants/{name}")
        assert "Before=docker.service containerd.service podman.socket podman.service\n" in unit
        root.add_hook("install.d/99-verify", f"systemd-analyze verify --man=no {name} 2>&1")
        assert not [line for line in root.run_inside("install.d/99-verify").output.splitlines() if "kolla" in line]


class TestGrowth:
    """What it calls. That a file system grows is for a boot to show: it takes a capability that hosts may lack."""

    def grown(self, fake_root: MakeRoot, status: int) -> tuple[int, list[str]]:
        """Run the program on a node whose / is the third partition of vda; ``status`` is what growpart ends with."""
        root: FakeRoot = fake_root("kolla-builder")
        root.write("/sys/devices/virtio1/block/vda/vda3/partition", "3\n")
        link = root.path / "sys/dev/block/254:3"
        link.parent.mkdir(parents=True)
        link.symlink_to("../../devices/virtio1/block/vda/vda3")
        root.stand_in("mountpoint", 'test "$*" = "-d /" && echo 254:3')
        root.stand_in("growpart", f'echo "growpart $*" >> /tmp/calls; exit {status}')
        root.write("/usr/lib/systemd/systemd-growfs", '#!/bin/bash\necho "growfs $*" >> /tmp/calls\n', 0o755)
        root.add_hook("install.d/99-grow", (ELEMENT / "static" / GROW).read_text())
        run = root.run_inside("install.d/99-grow")
        return run.status, root.read("/tmp/calls").splitlines()

    def test_partition_first_then_file_system(self, fake_root: MakeRoot) -> None:
        assert self.grown(fake_root, 0) == (0, ["growpart /dev/vda 3", "growfs /"])

    def test_file_system_catches_up_with_a_partition_that_is_large_already(self, fake_root: MakeRoot) -> None:
        assert self.grown(fake_root, 1) == (0, ["growpart /dev/vda 3", "growfs /"])

    def test_a_partition_that_cannot_grow_is_a_failure(self, fake_root: MakeRoot) -> None:
        assert self.grown(fake_root, 2) == (1, ["growpart /dev/vda 3"])

    def test_a_root_that_is_no_partition_is_left_alone(self, fake_root: MakeRoot) -> None:
        root: FakeRoot = fake_root("kolla-builder")
        root.stand_in("mountpoint", "echo 0:99")
        root.add_hook("install.d/99-grow", (ELEMENT / "static" / GROW).read_text())
        run = root.run_inside("install.d/99-grow")
        assert run.ok, run.output
        assert run.output == "/ is not on a partition of a disk, there is nothing to grow\n"
