import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.services import Services, read_services
from diskimage_validator.facts.unit_files import UnitText, parse_name, parse_preset, preset_of
from tests.support import node
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def services(tree: dict[str, Entry]) -> Services:
    found = read_services(MemoryEngine(tree))
    assert found is not None
    return found


def state(tree: dict[str, Entry], name: str) -> str:
    unit = services(tree).find(name)
    return unit.state if unit else "not-found"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ssh.service", "enabled"),
        ("rsync.service", "disabled"),
        ("debug.service", "static"),
        ("hwclock.service", "masked"),
        ("getty@.service", "disabled"),
        ("getty@tty7.service", "disabled"),
        ("sshd.service", "enabled"),
        ("cups.service", "not-found"),
        ("cups@x.service", "not-found"),
    ],
)
def test_states(tree: dict[str, Entry], name: str, expected: str) -> None:
    assert state(tree, name) == expected


def test_an_alias_is_one_and_leads_to_its_unit(tree: dict[str, Entry]) -> None:
    alias = services(tree).units["sshd.service"]
    assert (alias.state, alias.target) == ("alias", "ssh.service")


def test_a_node_without_systemd_has_no_services() -> None:
    assert read_services(MemoryEngine({"/etc/passwd": ""})) is None


def test_etc_wins_over_usr_and_an_empty_file_masks(tree: dict[str, Entry]) -> None:
    tree[f"{node.CONFIG}/ssh.service"] = ""
    assert state(tree, "ssh.service") == "masked"


def test_a_link_into_usr_of_the_same_name_counts_once(tree: dict[str, Entry]) -> None:
    tree[f"{node.WANTS}/rsync.service"] = Link("/lib/systemd/system/rsync.service")
    assert state(tree, "rsync.service") == "enabled"


def test_what_is_enabled_below_run_is_not_for_long(tree: dict[str, Entry]) -> None:
    tree["/run/systemd/system/multi-user.target.wants/rsync.service"] = Link(f"{node.UNITS}/rsync.service")
    assert state(tree, "rsync.service") == "enabled-runtime"


def test_an_install_section_in_a_drop_in_counts(tree: dict[str, Entry]) -> None:
    drop_in = f"{node.CONFIG}/debug.service.d/10-wanted.conf"
    tree[drop_in] = "[Install]\nWantedBy=multi-user.target\n"
    unit = services(tree).units["debug.service"]
    assert (unit.state, unit.drop_ins) == ("disabled", (drop_in,))


def test_links_from_outside_and_circles(tree: dict[str, Entry]) -> None:
    tree["/opt/own.service"] = node.STATIC
    tree[f"{node.CONFIG}/own.service"] = Link("/opt/own.service")
    tree[f"{node.CONFIG}/circle.service"] = Link("circle.service")
    tree[f"{node.CONFIG}/gone.service"] = Link("/opt/gone.service")
    tree[f"{node.CONFIG}/wrong.service"] = Link(f"{node.UNITS}/dbus.socket")
    states = {name: state(tree, name) for name in ("own.service", "circle.service", "gone.service", "wrong.service")}
    assert states == {
        "own.service": "linked",
        "circle.service": "bad",
        "gone.service": "bad",
        "wrong.service": "bad",
    }


def test_a_unit_that_cannot_be_read_hides_no_other(tree: dict[str, Entry]) -> None:
    tree[f"{node.UNITS}/ssh.service"] = Broken()
    found = services(tree)
    assert found.units["ssh.service"].state == "unreadable"
    assert "Input/output error" in found.units["ssh.service"].reason
    assert found.units["rsync.service"].state == "disabled"


def test_what_the_default_target_starts(tree: dict[str, Entry]) -> None:
    found = services(tree)
    assert found.default_target == "graphical.target"
    pulled = {name for name, unit in found.units.items() if unit.pulled}
    assert {"ssh.service", "dbus.socket", "sockets.target", "sshd.service"} <= pulled
    assert not {"rsync.service", "rescue.target", "hwclock.service"} & pulled


def test_no_default_target(tree: dict[str, Entry]) -> None:
    tree[f"{node.CONFIG}/default.target"] = Link("/usr/lib/systemd/system/none.target")
    assert services(tree).default_target == ""


@pytest.mark.parametrize(
    ("content", "first"), [("", False), ("uninitialized\n", True), ("0123456789abcdef0123456789abcdef\n", False)]
)
def test_first_boot(tree: dict[str, Entry], content: str, first: bool) -> None:
    tree["/etc/machine-id"] = content
    assert services(tree).first_boot is first


def test_no_machine_id_is_a_first_boot(tree: dict[str, Entry]) -> None:
    del tree["/etc/machine-id"]
    assert services(tree).first_boot


def test_presets_the_first_rule_and_the_strongest_file(tree: dict[str, Entry]) -> None:
    tree["/usr/lib/systemd/system-preset/50-a.preset"] = "disable rsync.*\n"
    tree["/usr/lib/systemd/system-preset/90-b.preset"] = "# all\nenable rsync.service\ndisable *\n"
    found = services(tree).units
    assert not found["rsync.service"].preset
    assert not found["ssh.service"].preset
    tree["/etc/systemd/system-preset/50-a.preset"] = Link("/dev/null")
    assert services(tree).units["rsync.service"].preset


def test_presets_of_instances() -> None:
    rules = list(parse_preset(b"enable t@.service x y\ndisable *\nnonsense\n"))
    expected = {"t@.service": True, "t@x.service": True, "t@z.service": False, "a.service": False}
    parsed = {text: parse_name(text) for text in expected}
    assert {text: preset_of(name, rules) for text, name in parsed.items() if name} == expected


def test_triggers(tree: dict[str, Entry]) -> None:
    tree[f"{node.UNITS}/rsync.socket"] = "[Install]\nWantedBy=sockets.target\n"
    tree[f"{node.CONFIG}/sockets.target.wants/rsync.socket"] = Link(f"{node.UNITS}/rsync.socket")
    found = services(tree)
    assert [unit.name for unit in found.triggers(found.units["rsync.service"])] == ["rsync.socket"]


def test_a_section_header_that_is_not_closed_is_bad() -> None:
    with pytest.raises(FactError, match="section header"):
        UnitText().read(b"[Install\n", "p")


def test_values_are_bounded() -> None:
    with pytest.raises(FactError, match="more than"):
        UnitText().read(b"[Install]\nWantedBy=" + b"a " * 20_000, "p")


def test_preset_rules_are_bounded(tree: dict[str, Entry]) -> None:
    tree["/etc/systemd/system-preset/a.preset"] = "enable x\n" * 5_001
    with pytest.raises(FactError, match="more than 5000 rules"):
        services(tree)


def test_a_pattern_that_is_too_long_matches_nothing(tree: dict[str, Entry]) -> None:
    tree["/etc/systemd/system-preset/a.preset"] = f"disable {'[' * 100_000}\ndisable {'*' * 2_000}\nenable *\n"
    assert services(tree).units["rsync.service"].preset


@given(st.binary())
def test_any_unit_text_is_read_or_refused(data: bytes) -> None:
    try:
        UnitText().read(b"[Install]\n" + data, "p")
    except FactError:
        return
    list(parse_preset(data))


@given(st.text(alphabet=string.ascii_letters + "@.:-\\é/\0", max_size=300))
def test_any_name(text: str) -> None:
    for name in (parse_name(text), parse_name(f"{text}.service")):
        assert name is None or (len(name.text) <= 255 and "/" not in name.text)
