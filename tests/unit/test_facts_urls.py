import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.sources.urls import locate


@pytest.mark.parametrize(
    ("text", "host", "port", "shown", "credentials"),
    [
        ("https://mirror.internal/debian", "mirror.internal", None, "https://mirror.internal/debian", False),
        ("HTTP://Mirror.Internal:8080", "mirror.internal", 8080, "HTTP://Mirror.Internal:8080", False),
        ("mirror+https://m.internal/list", "m.internal", None, "mirror+https://m.internal/list", False),
        ("http://user:word@proxy.internal:3128/", "proxy.internal", 3128, "http://***@proxy.internal:3128/", True),
        ("https://token@forge.internal/x", "forge.internal", None, "https://***@forge.internal/x", True),
        ("https://a:b@c@host.internal/", "host.internal", None, "https://***@host.internal/", True),
        ("https://host.internal/x?token=abc", "host.internal", None, "https://host.internal/x?...", True),
        ("ssh://git@forge.internal:29418/x", "forge.internal", 29418, "ssh://git@forge.internal:29418/x", False),
        ("git@forge.internal:team/x", "forge.internal", None, "git@forge.internal:team/x", False),
        ("http://[fd00::1]:3142/x", "fd00::1", 3142, "http://[fd00::1]:3142/x", False),
        ("fd00::53", "fd00::53", None, "fd00::53", False),
        ("10.0.0.53:5353", "10.0.0.53", 5353, "10.0.0.53:5353", False),
        ("registry.internal:5000/team/app", "registry.internal", 5000, "registry.internal:5000/team/app", False),
        ("user:word@proxy.internal", "proxy.internal", None, "***@proxy.internal", True),
        ("user:word@proxy.internal:3128", "proxy.internal", 3128, "***@proxy.internal:3128", True),
        ("file:///srv/mirror", "", None, "file:///srv/mirror", False),
        ("file:/srv/mirror", "", None, "file:/srv/mirror", False),
        ("copy:5000/app", "copy", 5000, "copy:5000/app", False),
        ("mirror+file:/etc/apt/mirrors", "", None, "mirror+file:/etc/apt/mirrors", False),
        ("https://host.internal./", "host.internal", None, "https://host.internal./", False),
        ("https:///x", "(no host)", None, "https:///x", False),
        ("http://host.internal:http/", "host.internal:http", None, "http://host.internal:http/", False),
        ("http://a.internal\\@x.example.org/", "a.internal\\@x.example.org", None, "http://***@x.example.org/", True),
    ],
)
def test_where_it_leads(text: str, host: str, port: int | None, shown: str, credentials: bool) -> None:
    found = locate(text)
    assert (found.host, found.port, found.shown, found.credentials) == (host, port, shown, credentials)


def test_a_text_without_scheme_may_be_a_path() -> None:
    assert locate("/srv/wheels", schemeless="path").host == ""
    assert locate("cdrom:[Debian 12]/", schemeless="path").host == ""
    assert locate("https://a.internal/", schemeless="path").host == "a.internal"
    assert locate("http:a.internal/", schemeless="path").host == "http:"


@given(st.text(max_size=80) | st.text(alphabet="htps:/@[]a.?#\\ %1", max_size=40))
def test_any_text_is_a_place(text: str) -> None:
    found = locate(text)
    assert found.port is None or 0 <= found.port <= 99999


@given(
    st.sampled_from(["https://", "http://", "ftp://", ""]), st.from_regex(r"[a-z]{3}:[a-zA-Z0-9]{8}", fullmatch=True)
)
def test_a_password_is_not_kept(scheme: str, user: str) -> None:
    password = user.partition(":")[2]
    found = locate(f"{scheme}{user}@proxy.internal:3128/path")
    assert password not in f"{found.shown} {found.host}"
    assert found.credentials
