"""What a user names as a node, and what a password on the command line gets."""

import pytest

from diskimage_validator.engines.ssh.options import Destination
from diskimage_validator.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://zuul@node.internal:2222", Destination("node.internal", 2222, "zuul")),
        ("ssh://node.internal", Destination("node.internal")),
        ("ssh://node.internal/", Destination("node.internal")),
        ("zuul@node.internal", Destination("node.internal", None, "zuul")),
        ("[2001:db8::1]:22", Destination("2001:db8::1", 22)),
        ("ssh://some%40one@node", Destination("node", None, "some@one")),
    ],
)
def test_user_host_and_port_are_told_apart(text: str, expected: Destination) -> None:
    assert Destination.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "ssh://",
        "ssh://@node",
        "ssh://node:0x16",
        "ssh://node:99999",
        "ssh://node/etc/passwd",
        "ssh://node?x",
        "ssh://[::1",
        "http://node",
        "ssh://no de",
        "ssh://node\x1b[2J",
        "",
    ],
)
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        Destination.parse(text)


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError, match="password") as caught:
        Destination.parse("ssh://zuul:geheim@node.internal")
    assert "geheim" not in caught.value.message + caught.value.hint


def test_a_destination_says_what_it_was_made_from() -> None:
    assert str(Destination("2001:db8::1", 2222, "zuul")) == "zuul@[2001:db8::1]:2222"
    assert str(Destination("node")) == "node"
