from diskimage_validator.model import Finding, Status
from tests.support import images
from tests.support.asking import ask, only
from tests.support.memory_engine import Broken, Entry

CHECK = "container-zuul-roles"
MAIN = "/etc/containers/registries.conf"
DROP_IN = "/etc/containers/registries.conf.d/50-x.conf"
TABLE = '[[registry]]\nprefix = "example.org"\nlocation = "registry.internal/example"\n'


def findings(tree: dict[str, Entry]) -> list[Finding]:
    return ask(CHECK, tree, images.policy(containers={"zuul_roles": True}))


def test_tables_with_a_prefix_in_the_main_file_pass(tree: dict[str, Entry]) -> None:
    tree[MAIN] = TABLE
    tree[DROP_IN] = '[aliases]\n"a" = "registry.internal/a"\n'
    tree["/etc/docker/daemon.json"] = '{"registry-mirrors": []}'
    assert only(findings(tree)).status is Status.PASS


def test_a_table_without_a_prefix_fails(tree: dict[str, Entry]) -> None:
    tree[MAIN] = TABLE + '[[registry]]\nlocation = "a.internal"\n'
    finding = only(findings(tree))
    assert (finding.subject, finding.status, finding.line) == (f"{MAIN}: a.internal", Status.FAIL, 4)
    assert finding.hint == 'add prefix = "a.internal"'


def test_a_table_in_a_drop_in_fails(tree: dict[str, Entry]) -> None:
    tree[DROP_IN] = TABLE
    finding = only(findings(tree))
    assert (finding.subject, finding.path) == (f"{DROP_IN}: example.org", DROP_IN)


def test_a_daemon_json_that_cannot_be_edited_fails(tree: dict[str, Entry]) -> None:
    tree["/etc/docker/daemon.json"] = "[]"
    finding = only(findings(tree))
    assert (finding.subject, finding.status) == ("/etc/docker/daemon.json", Status.FAIL)


def test_certs_d_that_is_no_folder_fails(tree: dict[str, Entry]) -> None:
    tree["/etc/docker/certs.d"] = "x"
    assert only(findings(tree)).subject == "/etc/docker/certs.d"


def test_what_cannot_be_read_is_an_error(tree: dict[str, Entry]) -> None:
    tree[MAIN] = Broken()
    assert only(findings(tree)).status is Status.ERROR


def test_it_has_to_be_asked_for(tree: dict[str, Entry]) -> None:
    assert only(ask(CHECK, tree, images.policy())).status is Status.SKIP
