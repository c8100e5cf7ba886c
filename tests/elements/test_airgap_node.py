"""airgap-node: the umbrella."""

from diskimage_builder.element_dependencies import get_elements

from tests.elements.fakeroot import ELEMENTS, ELEMENTS_PATH


def test_it_brings_its_elements_along() -> None:
    found = dict(get_elements(["debian-minimal", "airgap-node"], ELEMENTS_PATH))
    assert found.keys() >= {
        "container-tooling", "image-provenance", "initramfs-once", "qemu-img", "trusted-ca-bundle", "zuul-node",
    }  # fmt: skip


def test_it_is_nothing_but_a_list() -> None:
    names = {path.name for path in (ELEMENTS / "airgap-node").iterdir()}
    assert names == {"README.rst", "element-deps"}
