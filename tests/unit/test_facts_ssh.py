import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.facts.accounts import read_accounts
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.ssh import Ssh, SshdReader, read_ssh
from diskimage_validator.facts.sshd_text import DEFAULTS, FLAGS, IN_MATCH, KNOWN, BadLineError, fault, parse_line
from tests.support import node
from tests.support.memory_engine import Broken, Entry, Link, MemoryEngine
from tests.support.mutations import Draft

MAIN = "/etc/ssh/sshd_config"


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def ssh(tree: dict[str, Entry] | Draft) -> Ssh:
    engine = tree if isinstance(tree, Draft) else MemoryEngine(tree)
    found = read_ssh(engine, read_accounts(engine))
    assert found is not None
    return found


def config(text: str, **files: str) -> Ssh:
    return ssh({**node.tree(), MAIN: text, **{f"/etc/ssh/{name}": content for name, content in files.items()}})


def test_the_first_value_counts_and_drop_ins_come_where_they_are_included(tree: dict[str, Entry]) -> None:
    tree[MAIN] = "PermitRootLogin yes\nInclude /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n"
    tree["/etc/ssh/sshd_config.d/05.conf"] = "PasswordAuthentication=yes\n"
    found = ssh(tree)
    assert (found.value("PermitRootLogin"), found.value("PasswordAuthentication")) == ("yes", "yes")
    assert found.settings["passwordauthentication"].path == "/etc/ssh/sshd_config.d/05.conf"


def test_defaults_are_openssh_s() -> None:
    found = config("")
    assert (found.value("PasswordAuthentication"), found.value("X11Forwarding"), found.value("None")) == (
        "yes",
        "no",
        None,
    )


def test_lists_add_up() -> None:
    assert config("AcceptEnv A B\nAcceptEnv C\nPort 22\nPort 2222\n").value("AcceptEnv") == "A B C"


def test_a_match_holds_to_the_end_of_its_file_and_is_kept_apart() -> None:
    found = config(
        "Include one two\nPermitTTY no\nMatch User a\nPermitTTY yes\nInclude three\nMatch all\nX11Forwarding yes\n",
        one="Match Host b\nBanner none\n",
        two="MaxAuthTries 3\n",
        three="AllowTcpForwarding no\n",
    )
    assert [(one.match, one.keyword, one.value) for one in found.conditional] == [
        ("Host b", "banner", "none"),
        ("User a", "permittty", "yes"),
        ("User a", "allowtcpforwarding", "no"),
    ]
    assert (found.value("MaxAuthTries"), found.value("PermitTTY"), found.value("X11Forwarding")) == ("3", "no", "yes")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("PermitRootLogn no", "no keyword"),
        ("PasswordAuthentication maybe", "wants yes or no"),
        ("PasswordAuthentication", "has no value"),
        ('Banner "open', "quote"),
        ("Match User a\nPort 22", "not allowed after a Match"),
    ],
)
def test_what_keeps_sshd_from_starting(line: str, reason: str) -> None:
    problems = config(f"{line}\nUsePAM yes\n" if "Match" not in line else line).problems
    assert [reason in problem.reason for problem in problems] == [True]


def test_deprecated_keywords_are_passed_over() -> None:
    found = config("UsePrivilegeSeparation sandbox\nProtocol 2\nChallengeResponseAuthentication no\n")
    assert found.problems == ()
    assert found.value("KbdInteractiveAuthentication") == "no"


def test_a_file_that_cannot_be_read_is_told(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/sshd_config.d/10-node.conf"] = Broken()
    assert [problem.path for problem in ssh(tree).unreadable] == ["/etc/ssh/sshd_config.d/10-node.conf"]


def test_a_file_that_includes_itself_ends() -> None:
    assert "too many levels" in config("Include sshd_config\n").problems[0].reason


def test_no_sshd() -> None:
    engine = MemoryEngine({"/etc/passwd": "", "/etc/group": ""})
    assert read_ssh(engine, read_accounts(engine)) is None


def test_keys_of_every_user_in_every_place(tree: dict[str, Entry]) -> None:
    tree[MAIN] = "AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/keys.d/%u%% %h/more-%U\n"
    tree["/etc/ssh/keys.d/root%"] = f"{node.KEY}\nnonsense\n"
    tree["/home/zuul/more-1000"] = f"no-pty {node.KEY}\n"
    files = {file.path: file for file in ssh(tree).key_files}
    assert sorted(files) == ["/etc/ssh/keys.d/root%", node.KEYS, "/home/zuul/more-1000"]
    assert files[node.KEYS].keys[0].fingerprint == node.FINGERPRINT
    assert files["/etc/ssh/keys.d/root%"].bad_lines[0].line == 2
    assert files["/home/zuul/more-1000"].keys[0].options == ("no-pty",)


def test_no_place_for_keys(tree: dict[str, Entry]) -> None:
    tree[MAIN] = "AuthorizedKeysFile none\n"
    assert ssh(tree).key_files == ()


@pytest.mark.parametrize(
    ("path", "mode", "uid"),
    [(node.KEYS, 0o620, 1000), (node.KEYS, 0o602, 0), (node.KEYS, 0o600, 999), ("/home/zuul", 0o775, 1000)],
)
def test_strict_modes(tree: dict[str, Entry], path: str, mode: int, uid: int) -> None:
    draft = Draft(MemoryEngine(tree))
    draft.chmod(path, mode)
    draft.chown(path, uid, 0)
    assert path in ssh(draft).key_files[0].refused
    draft.write(MAIN, "StrictModes no\n")
    assert ssh(draft).key_files[0].refused == ""


def test_above_the_home_nobody_looks(tree: dict[str, Entry]) -> None:
    draft = Draft(MemoryEngine(tree))
    draft.chmod("/home", 0o777)
    assert ssh(draft).key_files[0].refused == ""


def test_a_link_out_of_the_home_is_followed_to_its_folders(tree: dict[str, Entry]) -> None:
    tree[node.KEYS] = Link("/srv/keys/zuul")
    tree["/srv/keys/zuul"] = node.KEY
    draft = Draft(MemoryEngine(tree))
    draft.chmod("/srv", 0o777)
    assert "/srv may be written" in ssh(draft).key_files[0].refused


def test_keys_that_cannot_be_read_are_told(tree: dict[str, Entry]) -> None:
    tree[node.KEYS] = Broken()
    assert "Input/output error" in ssh(tree).key_files[0].unreadable


def test_match_all_overrides(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/sshd_config"] = (
        "PasswordAuthentication no\nAcceptEnv A\nUsePAM yes\nMatch all\n"
        "PasswordAuthentication yes\nPasswordAuthentication no\nAcceptEnv B\nUsePAM no\n"
    )
    found = ssh(tree)
    assert [found.value(key) for key in ("PasswordAuthentication", "AcceptEnv", "UsePAM")] == ["yes", "B", "yes"]


def test_no_file_makes_more_work_than_it_is_worth(tree: dict[str, Entry]) -> None:
    lines = ('AcceptEnv "' + "\\" * 60_000, "Include " + "[a" * 60_000, "AuthorizedKeysFile " + "%h" * 60_000, "")
    tree["/etc/ssh/sshd_config.d/a.conf"] = "\n".join(lines)
    begin = time.monotonic()
    assert "a quote is not closed" in [problem.reason for problem in ssh(tree).problems]
    assert time.monotonic() - begin < 5


def test_a_file_that_is_included_again_and_again(tree: dict[str, Entry]) -> None:
    tree["/etc/ssh/big"] = "# \n" * 300_000
    tree["/etc/ssh/sshd_config.d/a.conf"] = "Include big\n" * 5
    with pytest.raises(FactError, match="more than 4194304 bytes"):
        ssh(tree)


def test_keys_that_many_users_share(tree: dict[str, Entry]) -> None:
    tree["/etc/keys"] = "#\n" * 400_000
    tree["/etc/ssh/sshd_config.d/a.conf"] = f"AuthorizedKeysFile {'/etc/keys ' * 6}\n"
    with pytest.raises(FactError, match="more than 4194304 bytes"):
        ssh(tree)


def test_too_many_included_files(tree: dict[str, Entry]) -> None:
    tree.update({f"/etc/ssh/sshd_config.d/{number}.conf": "" for number in range(2_000)})
    with pytest.raises(FactError, match="more than"):
        ssh(tree)


# Against the real sshd.

SSHD = """
mount -t tmpfs tmpfs /run && mkdir /run/sshd && ssh-keygen -q -t ed25519 -N '' -f /run/key || exit 99
exec "$(command -v sshd)" -T -h /run/key -f "$1"
"""


def real(path: Path) -> dict[str, str] | None:
    """Return the settings that sshd itself makes of a file, None if it refuses to start."""
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", SSHD, "sh", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 99 or "unshare" in done.stderr:
        pytest.skip(f"sshd cannot be run here: {done.stderr}")
    if done.returncode:
        return None
    settings: dict[str, str] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        settings[keyword] = f"{settings[keyword]} {value}" if keyword in settings else value
    return settings


def ours(path: Path) -> dict[str, str] | None:
    with DirectoryEngine(Path("/")) as engine:
        reader = SshdReader(engine)
        reader.file(str(path), "", 0)
    if reader.problems:
        return None
    return {**DEFAULTS, **{keyword: setting.value for keyword, setting in reader.effective.items()}}


LINES = (
    "PasswordAuthentication no",
    "passwordauthentication = yes",
    "PermitRootLogin prohibit-password # comment",
    "PermitRootLogin yes",
    'Banner "/etc/issue net"',
    "Banner none",
    "MaxAuthTries=3",
    "X11Forwarding yes",
    "ChallengeResponseAuthentication no",
    "AcceptEnv LANG LC_*",
    "AcceptEnv X",
    "AuthorizedKeysFile .ssh/a /etc/%u",
    "Match User nobody",
    "Match all",
    "AllowTcpForwarding no",
    "PermitTTY no",
    "StrictModes no",
    "Protocol 2",
    "  # only a comment",
    "",
    "Include {folder}/*.conf",
    "PrintMotd perhaps",
    "Nonsense yes",
    "MaxSessions",
)
JUDGED = (
    "passwordauthentication",
    "permitrootlogin",
    "banner",
    "maxauthtries",
    "x11forwarding",
    "kbdinteractiveauthentication",
    "acceptenv",
    "authorizedkeysfile",
    "allowtcpforwarding",
    "permittty",
    "strictmodes",
    "pubkeyauthentication",
    "usepam",
    "printmotd",
)


def normal(value: str | None) -> str | None:
    return {"without-password": "prohibit-password"}.get(value or "", value)


@pytest.mark.skipif(shutil.which("sshd") is None, reason="sshd is not installed")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(LINES), max_size=8), st.lists(st.sampled_from(LINES[:20]), max_size=3))
def test_settings_are_those_of_the_real_sshd(tmp_path: Path, lines: list[str], included: list[str]) -> None:
    (tmp_path / "1.conf").write_text("\n".join(included))
    path = tmp_path / "sshd_config"
    path.write_text("\n".join(lines).format(folder=tmp_path))
    expected, found = real(path), ours(path)
    assert (expected is None) == (found is None)
    if expected is not None and found is not None:
        assert {key: normal(found.get(key)) for key in JUDGED} == {key: normal(expected.get(key)) for key in JUDGED}


@pytest.mark.skipif(shutil.which("sshd") is None, reason="sshd is not installed")
def test_defaults_and_keywords_are_those_of_the_real_sshd(tmp_path: Path) -> None:
    (tmp_path / "sshd_config").write_text("")
    expected = real(tmp_path / "sshd_config")
    assert expected is not None
    assert set(expected) <= KNOWN
    assert {key: normal(expected[key]) for key in DEFAULTS if key in expected} == {
        key: value for key, value in DEFAULTS.items() if key in expected
    }


@given(st.text())
def test_any_line(text: str) -> None:
    try:
        parsed = parse_line(text)
    except BadLineError:
        return
    if parsed:
        fault(*parsed, in_match=False)


def test_tables_agree() -> None:
    assert FLAGS <= KNOWN
    assert IN_MATCH <= KNOWN
    assert set(DEFAULTS) <= KNOWN
