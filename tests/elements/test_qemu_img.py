"""qemu-img: the package that holds the program, on each distribution."""

import pytest

from tests.elements.packages import packages


@pytest.mark.parametrize(
    ("distro", "release", "package"),
    [
        ("debian", "bookworm", "qemu-utils"),
        ("debian", "trixie", "qemu-utils"),
        ("ubuntu", "noble", "qemu-utils"),
        ("rocky", "9", "qemu-img"),
        ("centos", "10-stream", "qemu-img"),
        ("fedora", "42", "qemu-img"),
        ("opensuse", "15.5", "qemu-tools"),
        ("opensuse", "15.6", "qemu-img"),
        ("opensuse", "tumbleweed", "qemu-img"),
    ],
)
def test_package_with_qemu_img(distro: str, release: str, package: str) -> None:
    assert packages("qemu-img", distro, release) == {package}
