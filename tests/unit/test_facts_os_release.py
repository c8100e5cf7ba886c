import pytest

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.os_release import parse_os_release, read_os_release
from tests.support.memory_engine import Entry, Link, MemoryEngine


def test_debian_is_read() -> None:
    text = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nID=debian\nVERSION_CODENAME=bookworm\n'
    found = parse_os_release(text, "/etc/os-release")
    assert (found.id, found.version_id, found.codename, found.family) == ("debian", "12", "bookworm", "debian")
    assert found.name == "Debian GNU/Linux 12 (bookworm)"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'NAME="a \\"b\\" \\$c \\`d\\` \\\\e \\n"', 'a "b" $c `d` \\e \\n'),
        (b"NAME='single \\n'", "single \\n"),
        (b"NAME=plain", "plain"),
        (b"NAME=esc\\ aped", "esc aped"),
        (b"  NAME=indented  ", "indented"),
        (b'NAME=""', ""),
        (b'NAME="', '"'),
        (b'NAME="caf\xc3\xa9 \xff"', "café \\xff"),
        (b"# NAME=comment\nNAME=real", "real"),
        (b"NAME=first\nNAME=last", "last"),
        (b"NAME=a\x0cID=evil", "a\x0cID=evil"),
    ],
)
def test_values_are_unquoted_as_a_shell_would(line: bytes, name: str) -> None:
    found = parse_os_release(line + b"\nID=x\n", "p")
    assert (found.name, found.id) == (name, "x")


@pytest.mark.parametrize(
    ("text", "family"),
    [
        (b"ID=ubuntu\nID_LIKE=debian", "debian"),
        (b'ID="rocky"\nID_LIKE="rhel centos fedora"', "rhel"),
        (b"ID=fedora", "rhel"),
        (b'ID="opensuse-leap"\nID_LIKE="suse opensuse"', "suse"),
        (b"ID=alpine", ""),
        (b"ID=debianish", ""),
    ],
)
def test_the_family_follows_from_id_and_id_like(text: bytes, family: str) -> None:
    assert parse_os_release(text, "p").family == family


def test_the_id_has_a_default() -> None:
    assert parse_os_release(b"NAME=x", "p").id == "linux"


@pytest.mark.parametrize("text", [b"", b"# only a comment\n", b"\x00\x01\x02"])
def test_a_file_without_assignments_is_an_error(text: bytes) -> None:
    with pytest.raises(FactError, match="says nothing"):
        parse_os_release(text, "p")


def test_usr_lib_is_read_if_etc_has_none() -> None:
    assert read_os_release(MemoryEngine({"/usr/lib/os-release": "ID=x\n"})).path == "/usr/lib/os-release"


def test_etc_wins_and_its_link_stays_inside_the_target() -> None:
    tree: dict[str, Entry] = {"/etc/os-release": Link("../../../../usr/lib/other"), "/usr/lib/other": "ID=y\n"}
    assert read_os_release(MemoryEngine({**tree, "/usr/lib/os-release": "ID=x\n"})).id == "y"


def test_no_os_release_is_an_error() -> None:
    with pytest.raises(FactError, match="no operating system"):
        read_os_release(MemoryEngine({}))
