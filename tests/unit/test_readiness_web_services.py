"""Zuul, Nodepool, Gerrit and Git in a factory.yaml, and what git's words mean."""

from pathlib import Path

import pytest

from diskimage_validator.errors import EngineError, PolicyError
from diskimage_validator.process import run_bounded
from diskimage_validator.readiness.document import parse_factory
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.plan import plan_rows
from diskimage_validator.readiness.probes.git import said


def parsed(services: str) -> Factory:
    return parse_factory(f"version: 1\nname: test\nservices:\n{services}", "factory.yaml", Path("/srv/factory"))


def problem(services: str) -> str:
    with pytest.raises(PolicyError) as caught:
        parsed(services)
    return caught.value.message.splitlines()[1].strip()


@pytest.mark.parametrize(
    "url",
    [
        "zuul.internal",
        "ftp://zuul.internal",
        "https://",
        "https://zuul.internal:0",
        "https://zuul.internal:99999",
        "https://zuul.internal/?a=b",
        "https://zuul.internal/#top",
        "https://zuul.internal/a b",
        'https://zuul.internal/"\\r\\nX-Evil: 1"',
        "https://zuul .internal",
        "7",
    ],
)
def test_what_is_no_url(url: str) -> None:
    said = problem(f"  zuul: [{{url: {url!r}}}]")
    assert said == "line 4: .services.zuul[0].url: a URL is wanted, such as 'https://zuul.internal'"


def test_a_password_in_a_url_is_refused_and_not_repeated() -> None:
    for kind in ("zuul: [{url: 'https://me:s3cret@zuul.internal'}]", "nodepool: [{url: 'http://s3cret@np.internal'}]"):
        assert problem(f"  {kind}").endswith(
            "a URL with a user or a password is no place for secrets: such as 'https://zuul.internal'"
        )
    said = problem("  git: [{url: 'ssh://zuul:s3cret@git.internal/config', branches: [main]}]")
    assert "no place for secrets" in said
    assert "s3cret" not in said


def test_urls_are_told_in_their_usual_form() -> None:
    zuul = "  zuul: [{url: 'https://Zuul.Internal:9000/ci/'}, {url: 'http://[2001:DB8::1]'}]"
    assert [one.url for one in parsed(zuul).rules.services.zuul] == [
        "https://zuul.internal:9000/ci",
        "http://[2001:db8::1]",
    ]


@pytest.mark.parametrize(
    ("services", "message"),
    [
        (
            "zuul: [{url: 'http://a', token: 'env:T'}]",
            "'token' needs a URL with https: it would be readable on the way",
        ),
        ("gerrit: [{url: 'http://a', user: u, password: 'env:P'}]", "'password' needs a URL with https: it would be"),
        ("gerrit: [{url: 'https://a', user: u}]", "'user' and 'password' belong together"),
        (
            "git: [{url: 'http://a/b', branches: [main], user: u, password: 'env:P'}]",
            "'password' needs a URL with https",
        ),
        ("git: [{url: 'https://a/b', branches: [main], password: 'env:P'}]", "'user' and 'password' belong together"),
        ("git: [{url: 'ssh://a/b', branches: [main]}]", "a URL with ssh needs 'key' and 'known_hosts'"),
        ("git: [{url: 'https://u@a/b', branches: [main]}]", "'key', 'known_hosts' and a user in the URL are for ssh"),
        (
            "git: [{url: 'ssh://-oProxyCommand=id@a/b', branches: [main]}]",
            "a URL with a user or a password is no place",
        ),
        (
            "git: [{url: 'ext::sh -c id', branches: [main]}]",
            "a URL is wanted, such as 'https://git.internal/zuul/config'",
        ),
        (
            "git: [{url: 'file:///etc', branches: [main]}]",
            "a URL is wanted, such as 'https://git.internal/zuul/config'",
        ),
    ],
)
def test_what_does_not_fit_together(services: str, message: str) -> None:
    assert message in problem(f"  {services}")


@pytest.mark.parametrize("services", [
    "git: [{url: 'https://a/b', branches: []}]",
    "git: [{url: 'https://a/b', branches: ['-x']}]",
    "git: [{url: 'https://a/b', branches: ['a b']}]",
    "zuul: [{url: 'https://a', components: {nodepool: 1}}]",
    "zuul: [{url: 'https://a', components: {web: -1}}]",
    "zuul: [{url: 'https://a', tenants: [{name: '../x'}]}]",
    "nodepool: [{url: 'https://a', ready_nodes: {label: 0}}]",
])  # fmt: skip
def test_values_that_mean_nothing(services: str) -> None:
    assert problem(f"  {services}").startswith("line 4: .services.")


def test_the_plan_tells_every_request_and_no_secret() -> None:
    services = """\
  zuul:
    - {url: "https://zuul.internal", tenants: [{name: images, labels: [a]}, {name: empty}], token: "env:TOKEN"}
  nodepool:
    - {url: "http://np.internal:8005", labels: [a], images: [{name: i}], ready_nodes: {a: 1}}
  gerrit:
    - {url: "https://review.internal", projects: [{name: zuul/config, branches: [main]}]}
  git:
    - {url: "ssh://zuul@git.internal/config", branches: [main], key: "file:/etc/key", known_hosts: hosts}
"""
    assert [(target, what) for _, target, what in plan_rows(parsed(services))] == [
        (
            "this host's resolvers",
            "DNS, A and AAAA of zuul.internal, np.internal, review.internal, git.internal, to connect to them",
        ),
        ("https://zuul.internal", "GET /api/components"),
        ("https://zuul.internal", "GET /api/tenants"),
        ("https://zuul.internal", "GET /api/tenant/images/status, /tenant-status, /labels"),
        ("https://zuul.internal", "GET /api/tenant/empty/status, /tenant-status"),
        ("http://np.internal:8005", "GET /ready"),
        ("http://np.internal:8005", "GET /label-list"),
        ("http://np.internal:8005", "GET /dib-image-list, /image-list, /image-status"),
        ("http://np.internal:8005", "GET /node-list"),
        ("https://review.internal", "GET /config/server/version"),
        ("https://review.internal", "GET /projects/zuul/config/branches/"),
        ("ssh://zuul@git.internal/config", "git ls-remote --heads"),
    ]


NO_ACCESS = "fatal: unable to access 'https://a/': "
NAMES = "no alternative certificate subject name matches target host name 'a'"


@pytest.mark.parametrize(
    ("stderr", "kind", "reason"),
    [
        # libcurl with OpenSSL, which other distributions have
        (f"{NO_ACCESS}SSL certificate problem: expired\n", "tls", "its certificate does not verify: expired"),
        (f"{NO_ACCESS}SSL: {NAMES}\n", "tls", f"its certificate does not verify: {NAMES}"),
        (f"{NO_ACCESS}The requested URL returned error: 503", "status", "answers HTTP status 503"),
        ("ssh: connect to host a port 22: No route to host\r\n", "unreachable", "no connection: No route to host"),
        ("ssh: connect to host a port 22: Connection timed out\r\n", "silent", "the connection timed out"),
        (
            "kex_exchange_identification: Connection closed by\r\n",
            "refused",
            "closes the connection instead of an answer",
        ),
        ("remote: Repository not found.\nfatal: repository 'a' not found", "absent", "there is no such repository"),
        ("fatal: \x1b[31mevil\n", "answer", "git cannot read it: \\x1b[31mevil"),
        (f"fatal: {'x' * 5000}", "answer", f"git cannot read it: {'x' * 199}…"),
        ("", "answer", "git cannot read it: no reason"),
    ],
)
def test_the_words_of_git_and_ssh(stderr: str, kind: str, reason: str) -> None:
    answer = said(stderr)
    assert (answer.kind, answer.text) == (kind, reason)


def test_a_bounded_program_gets_an_environment_of_ours_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_SSL_NO_VERIFY", "1")
    done = run_bounded(["env"], timeout=10, limit=10_000, environment={"HOME": "/nowhere"})
    assert {"HOME=/nowhere", "LC_ALL=C.UTF-8"} <= set(done.stdout.splitlines())
    assert "GIT_SSL_NO_VERIFY" not in done.stdout
    with pytest.raises(EngineError, match="more than 10 bytes"):
        run_bounded(["env"], timeout=10, limit=10, environment={"HOME": "/nowhere"})
