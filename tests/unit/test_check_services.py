"""services-enabled, services-disabled, services-masked, services-absent, default-target."""

import pytest

from diskimage_validator.model import Finding, Status
from tests.support import images, node
from tests.support.asking import ask, only
from tests.support.memory_engine import Broken, Entry, Link

SSH = f"{node.UNITS}/ssh.service"


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def enabled(tree: dict[str, Entry], unit: str = "ssh.service") -> Finding:
    return only(ask("services-enabled", tree, images.policy(services={"enabled": [unit]})))


def disabled(tree: dict[str, Entry], unit: str = "rsync.service") -> Finding:
    return only(ask("services-disabled", tree, images.policy(services={"disabled": [unit]})))


def masked(tree: dict[str, Entry], unit: str = "hwclock.service") -> Finding:
    return only(ask("services-masked", tree, images.policy(services={"masked": [unit]})))


def absent(tree: dict[str, Entry], unit: str = "cups.service") -> Finding:
    return only(ask("services-absent", tree, images.policy(services={"absent": [unit]})))


def target(tree: dict[str, Entry], wanted: str = "multi-user.target | graphical.target") -> Finding:
    return only(ask("default-target", tree, images.policy(services={"default_target": wanted})))


@pytest.mark.parametrize("unit", ["ssh.service", "sshd.service", "cups.service | sshd.service", "dbus.socket"])
def test_enabled_passes(tree: dict[str, Entry], unit: str) -> None:
    assert enabled(tree, unit).status is Status.PASS


@pytest.mark.parametrize(
    ("unit", "why"),
    [
        ("rsync.service", "installed, but not enabled"),
        ("debug.service", "static"),
        ("hwclock.service", "masked"),
        ("cups.service", "no unit of this name"),
        ("cups.service | lpd.service", "no unit of these names"),
        ("cups.service | rsync.service", "installed, but not enabled"),
    ],
)
def test_enabled_fails(tree: dict[str, Entry], unit: str, why: str) -> None:
    finding = enabled(tree, unit)
    assert finding.status is Status.FAIL
    assert why in finding.message


def test_a_mask_beats_the_link_that_enables(tree: dict[str, Entry]) -> None:
    tree[f"{node.CONFIG}/ssh.service"] = Link("/dev/null")
    assert "masked" in enabled(tree).message


def test_a_preset_alone_enables_nothing_for_certain(tree: dict[str, Entry]) -> None:
    tree["/etc/machine-id"] = "uninitialized\n"
    assert "preset only" in enabled(tree, "rsync.service").message


def test_wanted_by_a_target_that_the_node_does_not_boot_into(tree: dict[str, Entry]) -> None:
    del tree[f"{node.WANTS}/ssh.service"]
    tree[f"{node.CONFIG}/rescue.target.wants/ssh.service"] = Link(SSH)
    finding = enabled(tree)
    assert finding.status is Status.FAIL
    assert "boots into graphical.target" in finding.message


def test_wanted_by_a_target_that_a_generator_starts(tree: dict[str, Entry]) -> None:
    del tree[f"{node.WANTS}/ssh.service"]
    tree[f"{node.UNITS}/cloud-init.target"] = "[Unit]\n"
    tree[f"{node.CONFIG}/cloud-init.target.wants/ssh.service"] = Link(SSH)
    assert enabled(tree).status is Status.PASS


def test_a_unit_that_cannot_be_read_could_not_tell(tree: dict[str, Entry]) -> None:
    tree[SSH] = Broken()
    for finding in (enabled(tree), disabled(tree, "ssh.service"), masked(tree, "ssh.service")):
        assert finding.status is Status.ERROR
        assert "Input/output error" in finding.message


@pytest.mark.parametrize("unit", ["rsync.service", "cups.service", "hwclock.service", "debug.service"])
def test_disabled_passes(tree: dict[str, Entry], unit: str) -> None:
    assert disabled(tree, unit).status is Status.PASS


def test_disabled_fails_for_what_is_enabled_under_any_name(tree: dict[str, Entry]) -> None:
    assert "wanted by multi-user.target" in disabled(tree, "ssh.service").message
    assert disabled(tree, "sshd.service").status is Status.FAIL


def test_disabled_fails_for_what_is_pulled_in(tree: dict[str, Entry]) -> None:
    assert disabled(tree, "dbus.socket").message == "graphical.target pulls it in"


def test_disabled_fails_for_what_a_socket_starts(tree: dict[str, Entry]) -> None:
    tree[f"{node.UNITS}/rsync.socket"] = "[Install]\nWantedBy=sockets.target\n"
    tree[f"{node.CONFIG}/sockets.target.wants/rsync.socket"] = Link(f"{node.UNITS}/rsync.socket")
    assert disabled(tree).message == "rsync.socket would start it, and is enabled"


def test_disabled_fails_for_what_the_first_boot_enables(tree: dict[str, Entry]) -> None:
    tree["/etc/machine-id"] = "uninitialized\n"
    assert disabled(tree).status is Status.PASS, "the root is read-only when systemd would apply presets"
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace(" ro ", " rw ")
    assert "preset" in disabled(tree).message
    tree["/etc/systemd/system-preset/00.preset"] = "disable rsync.service\n"
    assert disabled(tree).status is Status.PASS


@pytest.mark.parametrize("unit", ["hwclock.service", "cups.service"])
def test_masked_passes(tree: dict[str, Entry], unit: str) -> None:
    assert masked(tree, unit).status is Status.PASS


def test_masked_fails_for_what_is_disabled_only(tree: dict[str, Entry]) -> None:
    assert masked(tree, "rsync.service").message == "it is disabled, so it can be started"


def test_masked_fails_for_a_mask_that_a_boot_removes(tree: dict[str, Entry]) -> None:
    del tree[f"{node.CONFIG}/hwclock.service"]
    tree["/run/systemd/system/hwclock.service"] = Link("/dev/null")
    assert "/run" in masked(tree).message


def test_absent(tree: dict[str, Entry]) -> None:
    assert absent(tree).status is Status.PASS
    for unit in ("rsync.service", "sshd.service", "hwclock.service"):
        assert absent(tree, unit).status is Status.FAIL


def test_the_default_target(tree: dict[str, Entry]) -> None:
    assert target(tree).status is Status.PASS
    assert target(tree, "multi-user.target").actual == "graphical.target"
    tree[f"{node.CONFIG}/default.target"] = Link(f"{node.UNITS}/rescue.target")
    assert target(tree).actual == "rescue.target"


def test_the_command_line_overrides_the_default_target(tree: dict[str, Entry]) -> None:
    tree["/boot/grub/grub.cfg"] = node.GRUB.replace(" ro ", " ro systemd.unit=emergency.target ")
    assert "command line says emergency.target" in target(tree).message


def test_no_default_target_fails(tree: dict[str, Entry]) -> None:
    del tree[f"{node.UNITS}/default.target"]
    assert "no default.target" in target(tree).message


def test_without_systemd_nothing_is_enabled_and_nothing_is_there() -> None:
    tree = images.debian()
    assert [enabled(tree).status, target(tree).status] == [Status.FAIL, Status.FAIL]
    assert {disabled(tree).status, masked(tree).status, absent(tree).status} == {Status.PASS}


@pytest.mark.parametrize(
    "check", ["services-enabled", "services-disabled", "services-masked", "services-absent", "default-target"]
)
def test_nothing_asked_is_skipped(tree: dict[str, Entry], check: str) -> None:
    assert only(ask(check, tree, images.policy())).status is Status.SKIP


@pytest.mark.parametrize("unit", ["ssh", "ssh.servic", "a b.service", "x/y.service", ""])
def test_a_unit_needs_its_type(unit: str) -> None:
    with pytest.raises(ValueError, match="a unit with its type"):
        images.rules(services={"enabled": [unit]})
