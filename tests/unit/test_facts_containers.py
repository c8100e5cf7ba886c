import json

import pytest

from diskimage_validator.facts.containers import Containers
from tests.support.asking import facts_of
from tests.support.memory_engine import Broken, Entry

MAIN = "/etc/containers/registries.conf"
DROP_IN = "/etc/containers/registries.conf.d/50-site.conf"
POLICY = "/etc/containers/policy.json"
DAEMON = "/etc/docker/daemon.json"
STORAGE = "/etc/containers/storage.conf"


def read(tree: dict[str, Entry]) -> Containers:
    found = facts_of(tree).containers
    assert isinstance(found, Containers)
    return found


def faults(tree: dict[str, Entry]) -> list[tuple[str, int, bool]]:
    return [(fault.path, fault.line, fault.unreadable) for fault in read(tree).faults]


def table(prefix: str, location: str, more: str = "") -> str:
    return f'[[registry]]\nprefix = "{prefix}"\nlocation = "{location}"\n{more}'


def test_a_later_file_replaces_tables_by_prefix_and_the_rest_as_a_whole() -> None:
    registries = read(
        {
            MAIN: 'unqualified-search-registries = ["a.internal"]\nshort-name-mode = "enforcing"\n'
            + table("x.example.org", "a.internal", '[[registry.mirror]]\nlocation = "m.internal"\n')
            + table("y.example.org", "a.internal"),
            "/etc/containers/registries.conf.d/90-z.conf": table("x.example.org", "z.internal"),
            DROP_IN: 'unqualified-search-registries = ["b.internal", "c.internal:5000"]\n'
            + table("x.example.org", "b.internal"),
            "/etc/containers/registries.conf.d/README": "no TOML",
            "/etc/containers/registries.conf.d/sub.d/a.conf": "no TOML",
        }
    ).registries
    assert [(entry.prefix, entry.location, entry.mirrors) for entry in registries.registries] == [
        ("x.example.org", "z.internal", ()),
        ("y.example.org", "a.internal", ()),
    ]
    assert (registries.search, registries.search_path) == (("b.internal", "c.internal:5000"), DROP_IN)
    assert (registries.short_name_mode, registries.mode_line) == ("enforcing", 2)
    assert len(registries.tables) == 4


def test_within_a_file_the_first_table_of_a_prefix_counts() -> None:
    registries = read({MAIN: table("x.org", "a.internal") + table("x.org", "b.internal")}).registries
    assert [entry.location for entry in registries.registries] == ["a.internal"]


def test_an_empty_search_list_is_one() -> None:
    tree: dict[str, Entry] = {MAIN: 'unqualified-search-registries = ["a.internal"]\n', DROP_IN: ""}
    assert read(tree).registries.search == ("a.internal",)
    tree[DROP_IN] = "unqualified-search-registries = []\n"
    assert read(tree).registries.search == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.org/team/app", ["b.internal"]),
        ("x.org/other", ["m.internal", "a.internal"]),
        ("x.org.evil.org/app", ["x.org.evil.org/app"]),
        ("sub.z.org/app", ["sub.z.org/app"]),
        ("bad.org/app", []),
        ("z.org/app", ["z.org/app"]),
    ],
)
def test_an_image_comes_from_the_table_with_the_longest_prefix(name: str, expected: list[str]) -> None:
    text = (
        table("x.org", "a.internal", '[[registry.mirror]]\nlocation = "m.internal"\n')
        + table("x.org/team", "b.internal")
        + table("bad.org", "bad.org", "blocked = true\n")
        + '[[registry]]\nprefix = "*.z.org"\n'
    )
    assert read({MAIN: text}).registries.sources(name) == expected


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[registries.search]\nregistries = ["x.org"]\n', 1),
        ("[[registry]]\n", 1),
        ('[[registry]]\nprefix = "x.org"\n', 1),
        (table("x.org", "https://a.internal"), 1),
        (table("*.x.org/y", "a.internal"), 1),
        (table("x.org", "a.internal", "[[registry.mirror]]\ninsecure = true\n"), 4),
        (table("x.org", "a.internal", "insecure = true\n") + table("y.org", "a.internal"), 5),
        (table("x.org", "a.internal", 'insecure = "yes"\n'), 1),
        ('registry = "x"\n', 1),
        ("registry = [1]\n", 1),
        ("\nunqualified-search-registries = 'x'\n", 2),
        ('unqualified-search-registries = ["x/y"]\n', 1),
        ("unqualified-search-registries = [1]\n", 1),
        ('short-name-mode = "on"\n', 1),
        ('[aliases]\na = "b"\n', 2),
        ('[aliases]\na = "x.org/b:tag"\n', 2),
        ('[aliases]\n"x.org/a" = "x.org/a"\n', 2),
        ("[aliases]\na = 1\n", 2),
        ("a =\n", 1),
        (b"a = '\xff'\n", 1),
    ],
)
def test_what_the_library_refuses(text: str | bytes, line: int) -> None:
    assert faults({MAIN: text}) == [(MAIN, line, False)]
    assert faults({DROP_IN: text}) == [(DROP_IN, line, False)]


def test_keys_have_no_case_for_the_library() -> None:
    registries = read({MAIN: '[[Registry]]\nLocation = "a.internal"\nINSECURE = true\n'}).registries
    assert [entry.insecure for entry in registries.registries] == [True]


def test_an_alias_can_be_taken_away() -> None:
    tree: dict[str, Entry] = {MAIN: '[aliases]\na = "x.org/a"\n', DROP_IN: '[aliases]\na = ""\n'}
    assert [alias.target for alias in read(tree).registries.aliases] == [""]


SIGNED = {"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/etc/pki/key.gpg"}


def test_a_policy_of_signatures() -> None:
    policy = {
        "default": [{"type": "reject"}],
        "transports": {"docker": {"a.internal": [SIGNED], "": [{"type": "reject"}]}},
    }
    signatures = read({POLICY: json.dumps(policy, indent=1)}).signatures
    assert signatures is not None
    assert signatures.default.types == ("reject",)
    assert [(str(scope), scope.types, scope.line) for scope in signatures.scopes] == [
        ("docker:a.internal", ("signedBy",), 9),
        ("docker:", ("reject",), 16),
    ]
    assert signatures.missing_keys == ("/etc/pki/key.gpg",)


@pytest.mark.parametrize(
    "policy",
    [
        "[]",
        "{}",
        '{"default": []}',
        '{"default": {}}',
        '{"default": [{"type": "reject"}], "x": 1}',
        '{"default": [{"type": "reject"}], "default": [{"type": "reject"}]}',
        '{"default": [{"type": "accept"}]}',
        '{"default": [{"type": "reject", "x": 1}]}',
        '{"default": [{"type": ["reject"]}]}',
        '{"default": [1]}',
        '{"default": [{"type": "signedBy", "keyType": "GPGKeys"}]}',
        '{"default": [{"type": "signedBy", "keyPath": "/k"}]}',
        '{"default": [{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k", "keyData": "x"}]}',
        '{"default": [{"type": "reject"}], "transports": []}',
        '{"default": [{"type": "reject"}], "transports": {"docker": []}}',
        '{"default": [{"type": "reject"}], "transports": {"docker": {"": []}}}',
    ],
)
def test_a_policy_that_the_library_refuses(policy: str) -> None:
    assert [(path, unreadable) for path, _, unreadable in faults({POLICY: policy})] == [(POLICY, False)]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]", 1),
        ('{"data-root": 1}', 1),
        ('{\n"dns": "10.0.0.53"}', 2),
        ('{"registry-mirrors": [1]}', 1),
        ('{"proxies": []}', 1),
        ('{"a": 1,\n"a": 2}', 1),
        ('{"a": 1,}', 1),
        ("", 1),
    ],
)
def test_a_daemon_json_that_docker_refuses(text: str, line: int) -> None:
    assert faults({DAEMON: text}) == [(DAEMON, line, False)]


def test_where_images_are_kept() -> None:
    assert [(entry.engine, entry.driver, entry.root) for entry in read({}).storage] == [
        ("docker", "", "/var/lib/docker"),
        ("podman", "", "/var/lib/containers/storage"),
    ]
    storage = read(
        {
            DAEMON: '{"data-root": "/srv/docker",\n"storage-driver": "overlay2"}',
            "/usr/share/containers/storage.conf": '[storage]\ndriver = "vfs"\n',
            STORAGE: '[storage]\ndriver = "overlay"\ngraphroot = "/srv/containers"\n',
        }
    ).storage
    assert [(entry.driver, entry.root, entry.path, entry.line) for entry in storage] == [
        ("overlay2", "/srv/docker", DAEMON, 1),
        ("overlay", "/srv/containers", STORAGE, 3),
    ]


@pytest.mark.parametrize("text", ["[storage", "[storage]\ndriver = 1\n", "storage = 1\n"])
def test_a_storage_conf_that_the_library_refuses(text: str) -> None:
    assert [path for path, _, _ in faults({STORAGE: text})] == [STORAGE]


def test_members_of_docker() -> None:
    assert read({"/etc/group": "root:x:0:\ndocker:x:999:zuul,ci\n"}).docker_group == ("zuul", "ci")
    assert read({"/etc/group": "docker:x:999:\n"}).docker_group == ()
    assert read({"/etc/group": "dockerroot:x:999:zuul\n"}).docker_group is None
    assert read({}).docker_group is None


def test_what_is_no_folder_in_certs_d() -> None:
    found = read({"/etc/docker/certs.d/a.internal/ca.crt": "x", "/etc/docker/certs.d/b.internal": "x"})
    assert found.not_folders == ("/etc/docker/certs.d/b.internal",)
    assert read({"/etc/containers/certs.d": "x"}).not_folders == ("/etc/containers/certs.d",)


@pytest.mark.parametrize("path", [MAIN, DROP_IN, POLICY, DAEMON, STORAGE, "/etc/buildkit/buildkitd.toml"])
@pytest.mark.parametrize("entry", [Broken(), b"#" * (1024 * 1024 + 1)], ids=["broken", "huge"])
def test_what_we_cannot_read_is_told(path: str, entry: Entry) -> None:
    assert faults({path: entry}) == [(path, 0, True)]


@pytest.mark.parametrize(
    "path",
    ["/etc/containers/containers.conf", "/etc/containers/containers.conf.d/x.conf", "/etc/buildkit/buildkitd.toml"],
)
def test_other_files_that_are_no_toml(path: str) -> None:
    assert faults({path: "\n[x\n"}) == [(path, 2, False)]
