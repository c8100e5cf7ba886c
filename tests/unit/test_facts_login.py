from dataclasses import replace

import pytest

from diskimage_validator.facts.login import NoLoginError, read_login
from diskimage_validator.login import Login
from tests.support import images, node
from tests.support.memory_engine import Entry, Folder, MemoryEngine

SSHD = "/etc/ssh/sshd_config"
CLOUD = "system_info:\n  default_user:\n    name: debian\n"
NEW = "/etc/ssh/authorized_keys.d/zuul"


def make(systemd: str = "252.39-1~deb12u1", **changes: Entry | None) -> dict[str, Entry]:
    """Return a node's tree with this version of systemd; ``changes`` name files by variables below."""
    tree = {**node.tree(), images.STATUS: images.status({**images.PACKAGES, "systemd": systemd})}
    for name, content in changes.items():
        path = {"sshd": SSHD, "passwd": "/etc/passwd", "sudoers": "/etc/sudoers.d/zuul"}[name]
        if content is None:
            tree = {known: entry for known, entry in tree.items() if known != path}
        else:
            tree[path] = content
    return tree


def login(tree: dict[str, Entry], user: str = "") -> Login:
    return read_login(MemoryEngine(tree), user)


def test_a_user_with_sudo_gets_a_file_of_his_own() -> None:
    found = login(make(sshd=f"AuthorizedKeysFile .ssh/authorized_keys {NEW.replace('zuul', '%u')}\n"))
    folders = ("/etc/ssh/authorized_keys.d",)
    assert found == Login("zuul", "credential", NEW, 0, 0, 0o644, exists=False, folders=folders)


def test_a_file_at_home_belongs_to_the_user() -> None:
    tree = make(sshd="AuthorizedKeysFile %h/.ssh/more\n")
    assert login(tree) == Login("zuul", "credential", "/home/zuul/.ssh/more", 1000, 1000, 0o600)


def test_where_there_is_no_other_place_the_key_is_added() -> None:
    found = login(make(sshd="AuthorizedKeysFile .ssh/authorized_keys\n"))
    assert (found.path, found.exists) == (node.KEYS, True)


def test_root_is_taken_where_nobody_has_sudo_and_sshd_lets_root_in() -> None:
    tree = {path: entry for path, entry in make(sshd="").items() if "sudoers" not in path}
    assert login({**tree, "/root": Folder(0o700)}).user == "root"
    with pytest.raises(NoLoginError, match=r"zuul: sudo without a password is not allowed; root: PermitRootLogin no"):
        login({**tree, SSHD: "PermitRootLogin no\n"})


def test_the_user_that_was_asked_for_is_taken() -> None:
    tree = {**make(sshd="PermitRootLogin yes\n"), "/root": Folder(0o700)}
    assert login(tree, "root").user == "root"
    with pytest.raises(NoLoginError, match="there is no user nobody-like-that"):
        login(tree, "nobody-like-that")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AllowUsers root\n", "AllowUsers root"),
        ("DenyUsers z*\n", r"DenyUsers z\*"),
        ("AllowGroups wheel\n", "AllowGroups wheel"),
        ("DenyGroups zuul\n", "DenyGroups zuul"),
        ("AuthorizedKeysFile none\n", "no file for keys"),
    ],
)
def test_who_is_kept_out_by_sshd_is_not_taken(text: str, reason: str) -> None:
    with pytest.raises(NoLoginError, match=f"zuul: .*{reason}"):
        login(make(sshd=f"PermitRootLogin no\n{text}"))


def test_sshd_has_to_be_there_and_take_keys() -> None:
    with pytest.raises(NoLoginError, match="no configuration of sshd"):
        login(make(sshd=None))
    with pytest.raises(NoLoginError, match="PubkeyAuthentication no in /etc/ssh/sshd_config"):
        login(make(sshd="PubkeyAuthentication no\n"))


@pytest.mark.parametrize("version", ["249.11-0ubuntu3", "1:249-1"])
def test_an_older_systemd_leaves_it_to_cloud_init_or_to_the_overlay(version: str) -> None:
    tree = make(version)
    assert login(tree) == replace(login(make()), way="overlay")
    tree |= {"/usr/bin/cloud-init": b"", "/etc/cloud/cloud.cfg": CLOUD}
    assert login(tree) == Login("debian", "config-drive")
    assert login(tree, "debian").user == "debian"
    assert login(tree, "zuul").way == "overlay"


def test_who_may_not_log_in_does_not_by_the_overlay_either() -> None:
    with pytest.raises(NoLoginError, match="zuul: DenyUsers zuul; root: PermitRootLogin no"):
        login(make("249", sshd="DenyUsers zuul\nPermitRootLogin no\n"))


def test_without_systemd_nobody_tells_when_the_boot_is_over() -> None:
    tree = {**make(), images.STATUS: images.status(images.PACKAGES)}
    with pytest.raises(NoLoginError, match="no systemd"):
        login(tree)


@pytest.mark.parametrize("name", ["de bian", "-oProxyCommand=x", "", 7, "a" * 40, "root\\n"])
def test_a_default_user_with_an_odd_name_is_none(name: object) -> None:
    tree = make("249", sshd="")
    tree |= {"/usr/bin/cloud-init": b"", "/etc/cloud/cloud.cfg": CLOUD.replace("debian", f'"{name}"')}
    assert login(tree).way == "overlay"


def test_an_epoch_is_no_version() -> None:
    assert login(make("1:255.4-1")).way == "credential"


@pytest.mark.parametrize("home", ["/nowhere", "/home/\x1b[31m"])
def test_a_home_that_is_not_there_or_not_printable_gets_no_file(home: str) -> None:
    passwd = str(node.tree()["/etc/passwd"]).replace("/home/zuul", home)
    tree = make(passwd=passwd, sshd="AuthorizedKeysFile .ssh/keys\nPermitRootLogin no\n")
    with pytest.raises(NoLoginError, match="zuul: sshd has no file"):
        login(tree)
