"""The factory.yaml: what it may say, and what is told of one that says something else."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from diskimage_validator.cli import run
from diskimage_validator.endpoints import Address
from diskimage_validator.errors import PolicyError, UsageError
from diskimage_validator.readiness.checks import READINESS_CHECKS
from diskimage_validator.readiness.document import load_factory, parse_factory
from diskimage_validator.readiness.factory import Factory
from diskimage_validator.readiness.plan import plan_rows, planned
from diskimage_validator.readiness.secret import Secret
from tests.support import pki
from tests.support.factory_yaml import shown

RESOLVER = "the IP address of a resolver is wanted, such as '192.0.2.53' or '[2001:db8::53]:5353'"
CA = pki.certificate("Factory CA")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_bytes(pki.pem(CA))
    return tmp_path


def parsed(text: str, folder: Path) -> Factory:
    return parse_factory(f"version: 1\nname: test\n{text}", "factory.yaml", folder)


def problems(text: str, folder: Path) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parsed(text, folder)
    return caught.value.message.splitlines()


def test_all_errors_are_told_at_once_with_path_and_line(folder: Path) -> None:
    text = """\
endpoints:
  - {name: "not a name", port: 0}
  - {name: zuul.internal, reverse: true}
  - {name: logs.internal, adresses: [192.0.2.1]}
dns:
  resolvers: [dns.internal]
  nodes: [node.internal]
certificates: {bundle: missing.pem}
severity: {dns-name: info}
"""
    assert problems(text, folder) == [
        "factory factory.yaml has 8 errors",
        "  line 4: .endpoints[0].name: 'not a name' is no host name that a certificate can be for",
        "  line 4: .endpoints[0].port: Input should be greater than or equal to 1",
        "  line 5: .endpoints[1]: 'reverse' needs 'addresses'",
        "  line 6: .endpoints[2].adresses: unknown key; did you mean 'addresses'?",
        f"  line 8: .dns.resolvers[0]: {RESOLVER}",
        "  line 9: .dns.nodes[0]: a node is wanted, such as 'ssh://zuul@node.internal', or '/' for this host",
        f"  line 10: .certificates.bundle: cannot read CA file {folder}/missing.pem: No such file or directory",
        "  line 11: .severity.dns-name: no such check; did you mean 'dns-names'?",
    ]


def test_a_name_resolves_to_the_same_for_all_ports(folder: Path) -> None:
    text = """\
endpoints:
  - {name: Registry.internal, port: 5000, addresses: [192.0.2.1, "2001:db8::1"]}
  - {name: registry.internal, addresses: ["2001:DB8:0::1", 192.0.2.1]}
  - {name: registry.internal, port: 80, tls: false}
  - {name: logs.internal, addresses: [192.0.2.2]}
  - name: registry.internal
    port: 443
    addresses: [192.0.2.2]
  - {name: registry.internal, port: 81, addresses: none}
"""
    said = "registry.internal has others in line 4; give all that it resolves to, in both or in one"
    assert [line for line in problems(text, folder) if "endpoints[5]" not in line] == [
        "factory factory.yaml has 2 errors",
        f"  line 10: .endpoints[4].addresses: {said}",
    ]
    assert len(parsed(text.partition("  - name")[0], folder).rules.endpoints) == 4


@pytest.mark.parametrize("key", ["s3cret", "-----BEGIN PRIVATE KEY-----", "file:", "vault:s3cret", "[s3cret]", "7"])
def test_a_secret_in_clear_is_refused_and_not_repeated(folder: Path, key: str) -> None:
    (folder / "client.pem").write_bytes(pki.pem(pki.certificate("client", ca=False)))
    text = f"endpoints:\n  - name: zuul.internal\n    client: {{certificate: client.pem, key: {key!r}}}\n"
    said = problems(text.replace("'[s3cret]'", "[s3cret]").replace("'7'", "7"), folder)
    assert said[1] == (
        "  line 5: .endpoints[0].client.key: write file:PATH or env:VARIABLE, and never the secret itself"
    )
    assert "s3cret" not in "".join(said)


def test_secrets_are_read_when_they_are_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "key").write_bytes(b"one")
    monkeypatch.setenv("FACTORY_KEY", "two")
    assert Secret("file", "key").read(folder) == b"one"
    assert Secret("env", "FACTORY_KEY").read(folder) == b"two"
    (folder / "key").write_bytes(b"x" * 65537)
    for secret, said in (("key", "larger than 64 KiB"), ("missing", "No such file")):
        with pytest.raises(UsageError, match=said):
            Secret("file", secret).read(folder)


def test_the_digest_is_that_of_what_is_asked_for(folder: Path) -> None:
    one = parsed("certificates: {bundle: ca.pem}", folder)
    (folder / "other.pem").write_bytes(pki.pem(CA))
    assert parsed("certificates: {bundle: other.pem}", folder).digest == one.digest
    (folder / "other.pem").write_bytes(pki.pem(pki.certificate("Other CA")))
    assert parsed("certificates: {bundle: other.pem}", folder).digest != one.digest


def test_init_writes_a_factory_that_can_be_planned_and_never_overwrites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["readiness", "init"]) == 0
    (tmp_path / "internal-ca.pem").write_bytes(pki.pem(CA))
    assert load_factory(Path("factory.yaml")).rules.endpoints[0].name == "zuul.internal"
    assert run(["readiness", "plan", "factory.yaml"]) == 0
    assert capsys.readouterr().out.endswith("10 questions; nothing was contacted\n")
    assert run(["readiness", "init"]) == 2
    assert "factory.yaml is there already" in capsys.readouterr().err


def test_what_several_checks_ask_is_asked_once(folder: Path) -> None:
    text = """\
endpoints:
  - {name: zuul.internal, addresses: [192.0.2.10, 192.0.2.11]}
  - {name: zuul.internal, port: 9000}
dns: {resolvers: [192.0.2.53, "[2001:db8::53]:5353"]}
certificates: {bundle: ca.pem, images: [node.qcow2]}
"""
    factory = parsed(text, folder)
    assert plan_rows(factory) == [
        ("DNS", "192.0.2.53:53", "DNS, A and AAAA of zuul.internal, to connect to them"),
        ("DNS", "[2001:db8::53]:5353", "DNS, A and AAAA of zuul.internal, to connect to them"),
        ("DNS", "192.0.2.53:53", "DNS, A and AAAA of zuul.internal"),
        ("DNS", "[2001:db8::53]:5353", "DNS, A and AAAA of zuul.internal"),
        *(
            ("Certificates", place, "TLS handshakes as zuul.internal, by default and older than TLSv1.2")
            for place in ("zuul.internal:443 at 192.0.2.10", "zuul.internal:443 at 192.0.2.11", "zuul.internal:9000")
        ),
        ("Certificates", f"{folder}/node.qcow2", "read the trust stores in the image"),
    ]
    assert len(planned(factory)) == 6
    assert factory.resolvers[1] == Address("2001:db8::53", 5353)


@pytest.mark.parametrize("dns", ["dns: {resolvers: [192.0.2.53, 192.0.2.54]}\n", ""])
def test_a_plan_names_the_resolvers_that_every_connection_begins_with(folder: Path, dns: str) -> None:
    text = """\
storage:
  images: [{image: "registry.internal:5000/a:1"}, {image: "192.0.2.1:5000/a:1"}]
  packages:
    - {index: "https://mirror.internal/Packages", also: ["http://192.0.2.2/Packages", /srv/P], packages: [podman]}
    - {index: "https://not_a_name/Packages"}
  mirrors: [{path: /srv}]
services:
  git: [{url: "ssh://zuul@git.internal:29418/config", branches: [main], key: "file:key", known_hosts: hosts}]
  nodepool: [{url: "http://[2001:db8::1]:8005"}, {url: "http://np.internal:8005"}]
"""
    rows = plan_rows(parsed(dns + text, folder))
    told = "DNS, A and AAAA of {}, to connect to them"
    ours, here = "mirror.internal, np.internal, git.internal", "this host's resolvers"
    if dns:
        assert rows[:3] == [
            ("DNS", "192.0.2.53:53", told.format(ours)),
            ("DNS", "192.0.2.54:53", told.format(ours)),
            ("DNS", here, told.format("registry.internal")),
        ]
    else:
        assert rows[0] == ("DNS", here, told.format(f"{ours}, registry.internal"))
    assert rows[3 if dns else 1][0] == "Storage"


def test_a_factory_that_asks_for_nothing_is_not_ready(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "factory.yaml").write_text("version: 1\nname: empty\n")
    assert run(["readiness", "plan", str(folder / "factory.yaml")]) == 2
    assert run(["readiness", str(folder / "factory.yaml"), "--format", "json"]) == 2
    report = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert report["target"] == {
        "name": "empty",
        "kind": "factory",
        "format": None,
        "sha256": None,
        "file_size": None,
        "virtual_size": None,
    }


def test_everything_that_the_commented_file_shows_is_valid(tmp_path: Path) -> None:
    """What ``init`` writes has examples in comments: without their signs, they are a factory as well."""
    (tmp_path / "internal-ca.pem").write_bytes(pki.pem(CA))
    (tmp_path / "client.pem").write_bytes(pki.pem(pki.certificate("client", ca=False)))
    factory = parse_factory(shown(), "factory.yaml", tmp_path)
    assert {line for line, _, _ in plan_rows(factory)} == {check.line for check in READINESS_CHECKS.values()}
    assert factory.rules.waivers
    assert factory.rules.severity
    assert factory.rules.storage
    assert factory.rules.storage.auth == Secret("file", "/etc/factory/auth.json")


@pytest.fixture
def schema(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    assert run(["readiness", "schema"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


def as_json(text: str) -> Any:
    """Return the document with dates as text, which JSON Schema knows them as."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def test_the_schema_takes_what_the_tool_takes(schema: dict[str, Any]) -> None:
    for text in (shown(), files("diskimage_validator.readiness").joinpath("factory.yaml").read_text("utf-8")):
        jsonschema.Draft202012Validator(schema).validate(as_json(text))
    source = schema["$defs"]["PackageSource"]["properties"]["packages"]
    assert source["description"].startswith("Only these, with all that they depend on")


@pytest.mark.parametrize(
    "wrong",
    [
        "endpoint: []",
        "endpoints: [{name: zuul.internal, port: 0}]",
        "certificates: {}",
        "dns: {resolvers: []}",
        "storage: {mirrors: [{path: srv}]}",
        "endpoints: [{name: zuul.internal, client: {certificate: c.pem, key: s3cret}}]",
        "node_images: [{image: a, served_by: [{nodepool: 'https://nodepool.internal'}]}]",
        "limits: {timeout: 0}",
        "waivers: [{check: dns-names}]",
    ],
)
def test_the_schema_refuses_what_the_tool_refuses(schema: dict[str, Any], folder: Path, wrong: str) -> None:
    assert problems(wrong, folder)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(as_json(f"version: 1\nname: test\n{wrong}"))


FORM = "what is wanted has the form"
SECRET = "write file:PATH or env:VARIABLE, and never the secret itself"
STORE = "{name: logs, swift: {clouds: env:CLOUDS, cloud: internal, container: logs}}"


def test_services_that_are_not_what_they_should_be(folder: Path) -> None:
    text = """\
services:
  object_stores:
    - {name: none}
    - name: both
      s3: {url: "https://s3.internal/?x", bucket: "../up", access_key: AKIA, secret_key: "env:S3"}
    - {name: deep, swift: {clouds: "env:CLOUDS", cloud: internal, container: a/b}}
  web_paths:
    - {url: "https://logs.internal", path: srv, seconds: 0}
  logs:
    - {url: "https://logs.internal/", status: 404, text: x}
"""
    assert problems(text, folder)[1:] == [
        "  line 5: .services.object_stores[0]: give either 's3' or 'swift'",
        "  line 7: .services.object_stores[1].s3.url: a URL is wanted, such as 'https://logs.internal'",
        f"  line 7: .services.object_stores[1].s3.bucket: {FORM} ^[A-Za-z0-9][A-Za-z0-9._-]{{1,254}}$",
        f"  line 7: .services.object_stores[1].s3.access_key: {SECRET}",
        f"  line 8: .services.object_stores[2].swift.container: {FORM} ^[^/]{{1,256}}$",
        "  line 10: .services.web_paths[0].path: an absolute path is wanted",
        "  line 10: .services.web_paths[0].seconds: Input should be greater than 0",
        "  line 12: .services.logs[0]: an error page has no 'text', 'content_type', 'gzip' or 'listing'",
    ]


@pytest.mark.parametrize(
    "url",
    [
        "http://logs.internal/",
        "https://user:s3cret@logs.internal/",
        "https://logs.internal/#top",
        "https://logs.internal/?a#top",
        "https://logs.internal/?a b",
        "https://logs.internal/a b",
        "https://logs.internal/\\r\\nX: y",
        "https://",
        "https://logs.internal:99999/",
        "https://-/",
        "file:///etc/passwd",
        "7",
    ],
)
def test_urls_that_are_none(folder: Path, url: str) -> None:
    said = problems(f'services:\n  logs:\n    - {{url: "{url}"}}\n', folder)
    assert len(said) == 2
    assert ".services.logs[0].url: " in said[1]
    assert "s3cret" not in said[1]


@pytest.mark.parametrize(
    ("mirrors", "stores", "message"),
    [
        ("{object_store: log}", STORE, "storage.mirrors names 'log', which is not in services.object_stores"),
        ("{object_store: logs}", f"{STORE}, {STORE}", "services.object_stores has two entries with the name 'logs'"),
        ("{path: /srv, object_store: logs}", STORE, "give either 'path', or 'object_store', 'quota' or both"),
        ("{name: nothing}", STORE, "give either 'path', or 'object_store', 'quota' or both"),
    ],
)
def test_mirrors_in_object_stores(folder: Path, mirrors: str, stores: str, message: str) -> None:
    said = problems(f"storage: {{mirrors: [{mirrors}]}}\nservices: {{object_stores: [{stores}]}}\n", folder)
    assert len(said) == 2
    assert said[1].endswith(message)


def test_a_plan_says_what_is_written_and_no_secret(folder: Path) -> None:
    text = """\
services:
  object_stores:
    - name: logs
      s3: {url: "https://s3.internal:9000/", bucket: logs, access_key: "file:access", secret_key: "env:S3"}
      write: true
    - {name: mirror, swift: {clouds: "file:clouds.yaml", cloud: internal, container: mirror}}
  web_paths:
    - {url: "https://logs.internal/probe", path: /srv/probe, node: "ssh://zuul@logs.internal"}
  logs:
    - {url: "https://logs.internal/"}
    - {url: "https://logs.internal/", listing: false}
storage: {mirrors: [{object_store: logs, quota: 1 TB}, {object_store: mirror}]}
"""
    swift = "Keystone and Swift of internal in file:clouds.yaml"
    both = "ssh://zuul@logs.internal and logs.internal"
    assert plan_rows(parsed(text, folder)) == [
        ("DNS", "this host's resolvers", f"DNS, A and AAAA of s3.internal, logs.internal, {swift}, to connect to them"),
        ("Storage", "s3.internal:9000", "list the bucket logs, to sum up its sizes"),
        ("Storage", swift, "HEAD the container mirror and its account, for their quotas"),
        (
            "Core services",
            "s3.internal:9000",
            "HEAD the bucket logs; WRITE a small object into it, read it, and remove it",
        ),
        ("Core services", swift, "HEAD the container mirror"),
        (
            "Core services",
            both,
            "WRITE a small file into /srv/probe, GET it below https://logs.internal/probe for 10 s, and remove it",
        ),
        ("Core services", "logs.internal", "GET https://logs.internal/"),
    ]
