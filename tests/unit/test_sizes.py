import pytest

from diskimage_validator.sizes import format_size, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [("0 B", 0), ("1kB", 1000), ("10 GiB", 10 * 1024**3), ("80 GB", 80 * 1000**3), ("1.5 MiB", 1536 * 1024)],
)
def test_a_number_and_a_unit_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_units_are_read_in_any_case() -> None:
    assert parse_size("1 gib") == parse_size("1 GiB")


@pytest.mark.parametrize("text", ["", "10", "GiB", "-1 GiB", "1 GiB 2", "1e3 MB", "\u0661 GiB", "9" * 400 + " B"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(ValueError, match="unknown unit 'GX'"):
        parse_size("1 GX")


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (4 * 1024**3, "4.0 GiB"), (3 * 1024**5, "3.0 PiB")],
)
def test_sizes_are_written_in_the_largest_unit_that_fits(size: int, text: str) -> None:
    assert format_size(size) == text
