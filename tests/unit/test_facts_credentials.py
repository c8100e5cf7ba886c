import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.credentials import PARSERS, assignments, docker_auths, netrc, pgpass, urls


def lines(parser: str, text: str) -> list[tuple[str, int]]:
    return [(found.kind, found.line) for found in PARSERS[parser](text.encode())]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("DB_PASSWORD=hunter2", "DB_PASSWORD"),
        ("export REGISTRY_TOKEN='abc'", "REGISTRY_TOKEN"),
        ('declare -x DIB_SOME_SECRET="abc"', "DIB_SOME_SECRET"),
        ('Environment="A=b" "API_KEY=xyz"', "API_KEY"),
        ("password = hunter2", "password"),
        ("proxy_password: hunter2", "proxy_password"),
        ("  application_credential_secret: abc", "application_credential_secret"),
        ("aws_secret_access_key = abc", "aws_secret_access_key"),
        ("//registry.internal/:_authToken=abc", "_authToken"),
        ("_auth=YWJj", "_auth"),
        ('"//registry.internal/:_authToken" "abc"', "_authToken"),
        ("npmAuthToken: abc", "npmAuthToken"),
        ("    client-key-data: LS0tLS1CRUdJTg==", "client-key-data"),
        ('  "private_key": "-----BEGIN PRIVATE KEY-----\\nMIIE"', "private_key"),
        ("psk=open sesame", "psk"),
        (":rubygems_api_key: abc", "rubygems_api_key"),
        ('{"token": "abc"}', "token"),
        ("ENCRYPTION_KEY=0123456789abcdef", "ENCRYPTION_KEY"),
    ],
)
def test_names_that_say_that_their_value_is_secret(line: str, name: str) -> None:
    assert lines("assignments", f"first=1\n{line}\n") == [(f"value of {name}", 2)]


@pytest.mark.parametrize(
    "line",
    [
        "# DB_PASSWORD=hunter2",
        "; password = hunter2",
        "DB_PASSWORD=$OTHER",
        "DB_PASSWORD=${OTHER}",
        'DB_PASSWORD=""',
        "DB_PASSWORD=",
        "DB_PASSWORD=xxxxxx",
        "password: {{ lookup }}",
        "password: <your password>",
        "token: null",
        "SSL_KEY=/etc/ssl/private/x.key",
        "PASSWORD_FILE=/run/secrets/x",
        "token_ttl = 3600",
        "PasswordAuthentication no",
        "lock_passwd: True",
        'sudo: ["ALL=(ALL) NOPASSWD:ALL"]',
        "gpgkey=file:///etc/pki/rpm-gpg/KEY",
        "password_min_length=8",
        "secret: ********",
        "KEYMAP=us",
    ],
)
def test_what_is_no_secret(line: str) -> None:
    assert lines("assignments", line) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("deb https://builder:hunter2@mirror.internal/debian bookworm main", ["password in a URL"]),
        ("baseurl=ftp://u:p@mirror.internal/", ["password in a URL"]),
        ('Acquire::http::Proxy "http://u:p@proxy.internal:3128";', ["password in a URL"]),
        ("a http://u:p@x.internal b http://v:q@y.internal", ["password in a URL"] * 2),
        ("url = https://glpat-abcdefghijklmnopqrst@git.internal/x", ["token in a URL"]),
        ("url = ssh://git@git.internal/x", []),
        ("url = https://git@git.internal/x", []),
        ("url = https://u:$TOKEN@git.internal/x", []),
        ("url = https://u:@git.internal/x", []),
        ("# http://user:password@proxy.internal", []),
        ("// http://user:password@proxy.internal", []),
        ("https://mirror.internal/a@b:c", []),
        ("mailto:a@b.internal https://mirror.internal:8443/x", []),
    ],
)
def test_urls(text: str, expected: list[str]) -> None:
    assert [kind for kind, _ in lines("urls", text)] == expected


def test_netrc_on_one_line_and_on_many() -> None:
    text = "machine a login u password x\nmachine b\n  login u\n  password\n   y\n# password z\n"
    assert lines("netrc", text) == [("password of a machine", 1), ("password of a machine", 5)]


@pytest.mark.parametrize(
    "login",
    ['{"auth": "dTpw"}', '{"identitytoken": "x"}', '{"username": "u", "password": "p"}', '{"registrytoken": "x"}'],
)
def test_a_login_at_a_registry_has_its_line(login: str) -> None:
    text = f'{{\n "auths": {{\n  "registry.internal:5000": {login}\n }}\n}}'
    assert lines("docker", text) == [("login at registry.internal:5000", 3)]


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "[]",
        '{"auths": {}}',
        '{"auths": {"r.internal": {}}}',
        '{"auths": {"r.internal": {"auth": ""}}}',
        '{"auths": []}',
        '{"auths": {"r.internal": "x"}}',
        '{"credHelpers": {"r.internal": "secretservice"}}',
        '{"credsStore": "pass"}',
    ],
)
def test_a_configuration_without_a_login(text: str) -> None:
    assert lines("docker", text) == []


def test_the_old_form_of_docker_s_configuration() -> None:
    assert lines("docker", '{"r.internal": {"auth": "dTpw"}}') == [("login at r.internal", 1)]


@pytest.mark.parametrize("text", ["", "{", "auths: {}", "[" * 100_000])
def test_what_is_no_json_could_not_be_told(text: str) -> None:
    with pytest.raises(FactError, match="no JSON"):
        lines("docker", text)


def test_pgpass_with_an_escaped_colon() -> None:
    assert lines("pgpass", "# c:1:d:u:p\nh:5432:*:u:\nh\\:x:5432:*:u:p\\:q\n") == [("password of a database", 3)]


def test_debconf_and_files_that_are_a_secret() -> None:
    assert lines("debconf", "Name: a/password\nValue: \nName: b\nValue: x\n") == [("password that debconf was told", 4)]
    assert lines("anything", " \n") == []
    assert lines("anything", "s.abc\n") == [("token", 0)]


def test_no_value_is_ever_kept() -> None:
    text = "PASSWORD=hunter2\nurl=https://u:hunter2@x.internal\nmachine a password hunter2\n"
    for parser in (assignments, urls, netrc, pgpass):
        assert "hunter2" not in str(list(parser(text.encode())))


@given(st.binary())
def test_no_content_breaks_a_parser(data: bytes) -> None:
    for parser in PARSERS.values():
        if parser is not docker_auths:
            list(parser(data))


@given(st.recursive(st.none() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_no_json_breaks_docker_s_parser(document: object) -> None:
    list(docker_auths(json.dumps({"auths": document}).encode()))
    list(docker_auths(json.dumps(document).encode()))


@pytest.mark.parametrize(
    "text", ["token" * 50_000, "a" * 250_000, "a://" * 60_000, "x:" * 100_000 + "@", '"token" ' * 30_000]
)
def test_long_lines_take_no_long_time(text: str) -> None:
    begin = time.monotonic()
    for parser in (assignments, urls, netrc, pgpass):
        list(parser(text.encode()))
    assert time.monotonic() - begin < 5
