import json
from typing import Any

import pytest

from diskimage_validator.errors import ValidatorError
from diskimage_validator.facts import dump, replay
from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, facts_of, only
from tests.support.memory_engine import Broken, Entry

CHECK = "hygiene-credentials"


@pytest.fixture
def tree() -> dict[str, Entry]:
    return images.debian() | {"/etc/hostname": "node\n"}


def credentials(tree: dict[str, Entry], **rules: Any) -> list[Finding]:
    return ask(CHECK, tree, images.policy(hygiene={"credentials": True, **rules}))


def test_a_sound_image_passes(tree: dict[str, Entry]) -> None:
    tree["/etc/apt/sources.list"] = "deb https://mirror.internal/debian bookworm main\n"
    assert only(credentials(tree)).status is Status.PASS


FILES = [
    ("/etc/environment", "A=1\nDB_PASSWORD=hunter2\n", 2),
    ("/etc/profile.d/x.sh", "export TOKEN=hunter2\n", 1),
    ("/etc/dib-manifests/dib_environment", 'declare -x DIB_TOKEN="hunter2"\n', 1),
    ("/etc/dib-manifests/dib_arguments", "--mirror https://u:hunter2@mirror.internal\n", 1),
    ("/etc/apt/auth.conf", "machine mirror.internal login u password hunter2\n", 1),
    ("/etc/apt/auth.conf.d/x.conf", "machine mirror.internal login u password hunter2\n", 1),
    ("/etc/apt/sources.list.d/x.list", "deb https://u:hunter2@mirror.internal/debian bookworm main\n", 1),
    ("/etc/apt/apt.conf.d/proxy", 'Acquire::http::Proxy "http://u:hunter2@proxy.internal";\n', 1),
    ("/etc/yum.repos.d/x.repo", "[x]\nusername=u\npassword=hunter2\n", 3),
    ("/etc/dnf/dnf.conf", "[main]\nproxy_password=hunter2\n", 2),
    ("/etc/zypp/credentials.d/x", "username=u\npassword=hunter2\n", 2),
    ("/etc/pip.conf", "[global]\nindex-url = https://u:hunter2@mirror.internal/simple\n", 2),
    ("/root/.pip/pip.conf", "[global]\nindex-url = https://u:hunter2@mirror.internal/simple\n", 2),
    ("/home/zuul/.config/pip/pip.conf", "[global]\nindex-url = https://u:hunter2@mirror.internal/simple\n", 2),
    ("/root/.netrc", "machine a login u password hunter2", 1),
    ("/root/.docker/config.json", '{"auths": {"registry.internal": {"auth": "hunter2"}}}', 1),
    ("/home/zuul/.config/containers/auth.json", '{"auths": {"registry.internal": {"auth": "hunter2"}}}', 1),
    ("/root/.npmrc", "//registry.internal/:_authToken=hunter2\n", 1),
    ("/root/.git-credentials", "https://u:hunter2@git.internal\n", 1),
    ("/root/.config/git/credentials", "https://u:hunter2@git.internal\n", 1),
    ("/root/.pgpass", "db:5432:*:u:hunter2\n", 1),
    ("/root/.my.cnf", "[client]\npassword = hunter2\n", 2),
    ("/root/.aws/credentials", "[default]\naws_secret_access_key = hunter2\n", 2),
    ("/root/.config/openstack/clouds.yaml", "clouds:\n  a:\n    auth:\n      password: hunter2\n", 4),
    ("/etc/openstack/clouds.yaml", "clouds:\n  a:\n    auth:\n      password: hunter2\n", 4),
    ("/root/.kube/config", "users:\n- user:\n    token: hunter2\n", 3),
    ("/etc/kubernetes/admin.conf", "users:\n- user:\n    client-key-data: hunter2\n", 3),
    ("/etc/cloud/cloud.cfg.d/x.cfg", "users:\n- plain_text_passwd: hunter2\n", 2),
    ("/etc/systemd/system/docker.service.d/proxy.conf", "Environment=HTTP_PROXY=http://u:hunter2@p.internal\n", 1),
    ("/var/cache/debconf/passwords.dat", "Name: x/password\nValue: hunter2\n", 2),
    ("/root/.vault-token", "hunter2", 0),
]


@pytest.mark.parametrize(("path", "content", "line"), FILES, ids=[path for path, _, _ in FILES])
def test_every_kind_of_file_is_read(tree: dict[str, Entry], path: str, content: str, line: int) -> None:
    tree[path] = content
    finding = only(credentials(tree))
    assert (finding.subject, finding.status, finding.line) == (path, Status.FAIL, line)
    assert "hunter2" not in str(finding)
    assert "hunter2" not in str(dump(facts_of(tree)))


def test_two_defects_are_two_findings(tree: dict[str, Entry]) -> None:
    tree["/etc/environment"] = "A_TOKEN=x1\nB_TOKEN=x2\n"
    assert [(finding.line, finding.actual) for finding in credentials(tree)] == [
        (1, "value of A_TOKEN"),
        (2, "value of B_TOKEN"),
    ]


def test_what_the_policy_allows_passes(tree: dict[str, Entry]) -> None:
    tree["/etc/apt/auth.conf.d/x.conf"] = "machine mirror.internal login u password public\n"
    assert only(credentials(tree, credentials_allowed=["/etc/apt/auth.conf.d/*"])).status is Status.PASS


def test_a_file_that_cannot_be_read_hides_nothing(tree: dict[str, Entry]) -> None:
    tree["/root/.docker/config.json"] = "{"
    tree["/root/.netrc"] = Broken()
    tree["/root/.pgpass"] = "db:5432:*:u:hunter2\n"
    assert {(finding.subject, finding.status) for finding in credentials(tree)} == {
        ("/root/.docker/config.json", Status.ERROR),
        ("/root/.netrc", Status.ERROR),
        ("/root/.pgpass", Status.FAIL),
    }


def test_binary_files_are_passed_over(tree: dict[str, Entry]) -> None:
    tree["/etc/default/x"] = b"\0PASSWORD=hunter2"
    assert only(credentials(tree)).status is Status.PASS


def test_hostile_names_are_escaped_and_cut(tree: dict[str, Entry]) -> None:
    registry = "\\ud800" + "x" * 500
    tree["/root/.docker/config.json"] = f'{{"auths": {{"{registry}": {{"auth": "x"}}}}}}'
    tree["/etc/default/\udcff"] = "TOKEN=hunter2"
    findings = credentials(tree)
    assert {finding.subject for finding in findings} == {"/root/.docker/config.json", "/etc/default/\\xff"}
    assert all(len(finding.actual) < 200 for finding in findings)
    facts = facts_of(tree)
    assert replay(json.dumps(dump(facts))) == facts


def test_no_file_at_all_could_not_tell() -> None:
    with pytest.raises(ValidatorError, match="no file was found"):
        credentials({"/usr/lib/os-release": images.OS_RELEASE})


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
