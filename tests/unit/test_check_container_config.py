import pytest

from diskimage_validator.model import Status
from tests.support import images
from tests.support.asking import ask, failures, only
from tests.support.memory_engine import Broken, Entry

CHECK = "container-config"
ASKED = images.policy(containers={"config": True})
DAEMON = "/etc/docker/daemon.json"


def test_files_in_order_pass_one_by_one(tree: dict[str, Entry]) -> None:
    tree[DAEMON] = '{"data-root": "/srv/docker"}'
    tree["/etc/containers/registries.conf"] = 'unqualified-search-registries = ["a.internal"]\n'
    findings = ask(CHECK, tree, ASKED)
    assert [(finding.subject, finding.status) for finding in findings] == [
        ("/etc/containers/registries.conf", Status.PASS),
        (DAEMON, Status.PASS),
    ]


@pytest.mark.parametrize(
    ("path", "text", "line", "reason"),
    [
        (DAEMON, '{\n"a": 1,\n}', 3, "no JSON"),
        (DAEMON, '{"a": 1, "a": 2}', 1, "the key 'a' comes twice"),
        (DAEMON, "[]", 1, "no JSON object"),
        ("/etc/containers/registries.conf.d/a.conf", "[[registry]]\nlocation = 'http://a'\n", 1, "has no scheme"),
        ("/etc/containers/policy.json", '{"default": []}', 1, "not empty"),
        ("/etc/containers/storage.conf", "[storage\n", 1, "no TOML"),
        ("/etc/containers/containers.conf", "\nx\n", 2, "no TOML"),
        ("/etc/buildkit/buildkitd.toml", "[registry.'a']\nhttp = 1\n", 2, "has to be true or false"),
    ],
)
def test_a_file_that_its_tool_refuses_fails_with_its_line(
    tree: dict[str, Entry], path: str, text: str, line: int, reason: str
) -> None:
    tree[path] = text
    finding = only(ask(CHECK, tree, ASKED))
    assert (finding.subject, finding.status, finding.path, finding.line) == (path, Status.FAIL, path, line)
    assert reason in finding.message


def test_a_file_instead_of_a_folder_in_certs_d_fails(tree: dict[str, Entry]) -> None:
    tree["/etc/docker/certs.d/a.internal"] = "x"
    finding = only(failures(ask(CHECK, tree, ASKED)))
    assert (finding.subject, finding.status) == ("/etc/docker/certs.d/a.internal", Status.FAIL)


def test_what_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[DAEMON] = Broken()
    finding = only(ask(CHECK, tree, ASKED))
    assert (finding.subject, finding.status) == (DAEMON, Status.ERROR)


def test_without_files_there_is_nothing_to_judge(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, ASKED)).status is Status.SKIP


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    tree[DAEMON] = "{"
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
