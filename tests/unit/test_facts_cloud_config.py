import contextlib

from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.cloud_config import parse_cloud_config, read_cloud_config
from diskimage_validator.facts.growth import growpart_fault, resizefs_fault
from tests.support.memory_engine import MemoryEngine


def test_later_files_win_and_mappings_merge() -> None:
    tree = {
        "/etc/cloud/cloud.cfg": "a: 1\nb: {x: 1, y: 1}\nc: [1]\n",
        "/etc/cloud/cloud.cfg.d/10.cfg": "b: {y: 2}\nc: [2]\n",
        "/etc/cloud/cloud.cfg.d/05.cfg": "b: {y: 3, z: 3}\n",
        "/etc/cloud/cloud.cfg.d/README": "no: yaml: here",
    }
    assert read_cloud_config(MemoryEngine(tree)) == {"a": 1, "b": {"x": 1, "y": 2, "z": 3}, "c": [2]}


def test_without_cloud_init_there_is_nothing() -> None:
    assert read_cloud_config(MemoryEngine({"/etc/x": ""})) == {}


@given(st.binary())
def test_no_content_breaks_the_parser(data: bytes) -> None:
    with contextlib.suppress(FactError):
        assert isinstance(parse_cloud_config(data, "x"), dict)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.fixed_dictionaries({}, optional={"growpart": VALUES, "resize_rootfs": VALUES, "cloud_init_modules": VALUES}))
def test_no_value_breaks_the_rules(config: dict[str, object]) -> None:
    assert isinstance(growpart_fault(config), str)
    assert isinstance(resizefs_fault(config), str)
