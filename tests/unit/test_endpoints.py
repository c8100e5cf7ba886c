import pytest

from diskimage_validator.endpoints import Address, parse_address
from diskimage_validator.errors import UsageError


@pytest.mark.parametrize(
    ("text", "name", "port", "shown"),
    [
        ("registry.internal", "registry.internal", None, "registry.internal"),
        ("Registry.Internal.:5000", "registry.internal", 5000, "registry.internal:5000"),
        ("registry", "registry", None, "registry"),
        ("192.0.2.1:443", "192.0.2.1", 443, "192.0.2.1:443"),
        ("[2001:DB8::1]:5000", "2001:db8::1", 5000, "[2001:db8::1]:5000"),
        ("[2001:db8::1]", "2001:db8::1", None, "[2001:db8::1]"),
        ("2001:db8:0:0::1", "2001:db8::1", None, "[2001:db8::1]"),
        ("xn--bcher-kva.internal", "xn--bcher-kva.internal", None, "xn--bcher-kva.internal"),
    ],
)
def test_an_address_is_a_name_and_perhaps_a_port(text: str, name: str, port: int | None, shown: str) -> None:
    address = parse_address(text)
    assert address == Address(name, port)
    assert str(address) == shown
    assert (address.ip is not None) == (name[0].isdigit())


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":5000",
        "registry.internal:",
        "registry.internal:0",
        "registry.internal:65536",
        "registry.internal:https",
        "registry.internal:\N{ARABIC-INDIC DIGIT FIVE}",
        "https://registry.internal",
        "registry.internal/v2",
        "registry_1.internal",
        "bücher.internal",
        "-registry.internal",
        "*.internal",
        "192.0.2.256",
        "192.0.2",
        "[registry.internal]:5000",
        "[192.0.2.1]:5000",
        "[2001:db8::1]5000",
        "[2001:db8::1",
        "2001:db8:::1",
        "fe80::1%eth0:5000",
        f"{'a' * 64}.internal",
        ".".join(["a" * 60] * 5),
        "registry.internal\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)
