import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diskimage_validator.facts.accounts import read_accounts
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.sudo import Sudo, read_sudo
from diskimage_validator.facts.sudo_rights import passwordless, root_right
from tests.support import node
from tests.support.memory_engine import Broken, Entry, File, Link, MemoryEngine
from tests.support.mutations import Draft


@pytest.fixture
def tree() -> dict[str, Entry]:
    return node.tree()


def sudo(text: str | bytes) -> Sudo:
    found = read_sudo(MemoryEngine({"/etc/sudoers": text}))
    assert found is not None
    return found


def right(tree: dict[str, Entry], name: str = "zuul") -> bool | None:
    """Return whether ``name`` is root without a password; None if not at all."""
    engine = MemoryEngine(tree)
    found, user = read_sudo(engine), read_accounts(engine).user(name)
    assert found is not None
    assert user is not None
    held = root_right(found, user)
    return held.nopasswd if held else None


SOUND = (
    "zuul ALL=(ALL:ALL) NOPASSWD: ALL",
    "ADMINS WEB = (root) NOPASSWD: SHUT, PASSWD: /bin/cat /x : ALL = (DB : dba) /usr/bin/id, SETENV: NOEXEC: /bin/vi",
    "#1001 ALL=(ALL) ALL",
    "%#27 ALL = ALL, !/bin/su",
    '"user one", x\\ y ALL=/bin/a\\,b arg\\:1, /bin/c ""',
    "ALICE ALL = (root) NOPASSWD: sudoedit /etc/hosts",
    "+netgroup ALL=(ALL) NOPASSWD:ALL",
    "alice, bob ALL, !web1 = ALL",
    "ALL ALL = (ALL) NOPASSWD:/bin/ls, LOG_OUTPUT:/bin/w # comment",
    "carol ALL = sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789 /bin/ls, NOPASSWD: ALL",
    "dave ALL = (:staff) /bin/id, \\\n  (root) NOPASSWD: /bin/x",
)
DECLARED = (
    "User_Alias ADMINS = alice, %wheel, \\\n   !bob : ALICE = carol # comment",
    "Cmnd_Alias SHUT = /sbin/shutdown, /sbin/reboot -f",
    "Host_Alias WEB = web1, 10.0.0.0/8",
    "Runas_Alias DB = oracle, #1000",
    'Defaults env_reset, !lecture, secure_path="/usr/bin:/bin"',
    "Defaults:zuul !authenticate",
    "Defaults@WEB timestamp_timeout=5",
    "Defaults>DB !requiretty",
    "Defaults!SHUT noexec",
)
DAMAGED = (
    "zuul ALL",
    "zuul ALL=(ALL NOPASSWD: ALL",
    "zuul = ALL",
    "zuul ALL=(ALL) NOPASSWD ALL",
    "User_Alias x = y",
    "Defaults",
)


def converted(text: str, folder: Path) -> list[Any]:
    """Return what sudo's own converter makes of the rules."""
    path = folder / "sudoers"
    path.write_text(text)
    done = subprocess.run(["cvtsudoers", "-f", "json", str(path)], check=True, capture_output=True, text=True)
    found: list[Any] = json.loads(done.stdout).get("User_Specs", [])
    return found


def command_of(entry: dict[str, Any]) -> str:
    name: str = entry.get("cmndalias") or entry["command"].split()[0]
    return f"!{name}" if entry.get("negated") else name


@pytest.mark.skipif(shutil.which("cvtsudoers") is None, reason="cvtsudoers is not installed")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(SOUND), min_size=1, max_size=5))
def test_rules_are_what_sudo_says(tmp_path: Path, lines: list[str]) -> None:
    text = "\n".join([*DECLARED, *lines, ""])
    expected = []
    for spec in converted(text, tmp_path):
        users = [next(value for key, value in user.items() if key != "negated") for user in spec["User_List"]]
        for commands in spec["Cmnd_Specs"]:
            options = {key: value for option in commands.get("Options", ()) for key, value in option.items()}
            nopasswd = not options["authenticate"] if "authenticate" in options else None
            expected += [(len(users), command_of(entry), nopasswd) for entry in commands["Commands"]]
    found = sudo(text)
    assert found.problems == ()
    assert [(len(rule.users), rule.commands[0].replace("\\,", ","), rule.nopasswd) for rule in found.rules] == expected


@pytest.mark.parametrize("line", DAMAGED)
def test_a_damaged_line_is_a_problem_and_costs_only_itself(line: str) -> None:
    found = sudo(f"{line}\nzuul ALL=(ALL) ALL\n")
    assert [problem.line for problem in found.problems] == [1]
    assert len(found.rules) == 1


@pytest.mark.skipif(shutil.which("visudo") is None, reason="visudo is not installed")
@pytest.mark.parametrize("line", DAMAGED)
def test_visudo_does_not_like_it_either(line: str, tmp_path: Path) -> None:
    (tmp_path / "sudoers").write_text(f"{line}\n")
    assert subprocess.run(["visudo", "-cqf", str(tmp_path / "sudoers")], check=False).returncode != 0


def test_options_in_front_of_tags() -> None:  # cvtsudoers 1.9.13 writes damaged JSON for these
    (rule,) = sudo("a ALL = (root) TIMEOUT=30 CWD=/tmp NOPASSWD: /bin/ls -l\n").rules
    assert (rule.runas, rule.nopasswd, rule.commands) == (("root",), True, ("/bin/ls",))


def test_aliases_and_defaults() -> None:
    found = sudo("\n".join(DECLARED))
    assert found.problems == ()
    assert found.aliases["user:ADMINS"] == ("alice", "%wheel", "!bob")
    assert found.aliases["user:ALICE"] == ("carol",)
    assert found.aliases["command:SHUT"] == ("/sbin/shutdown", "/sbin/reboot")
    assert [(default.scope, default.name, default.negated) for default in found.defaults][1:4] == [
        ("", "lecture", True),
        ("", "secure_path", False),
        (":", "authenticate", True),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zuul ALL=(ALL) NOPASSWD: ALL", True),
        ("zuul ALL=(ALL) ALL", False),
        ("zuul ALL=NOPASSWD: ALL", True),
        ("zuul ALL=(root) NOPASSWD: ALL\nzuul ALL=(ALL) ALL", False),
        ("zuul ALL=(ALL) ALL\nzuul ALL=(root) NOPASSWD: ALL", True),
        ("zuul ALL=(www) NOPASSWD: ALL", None),
        ("zuul ALL=(ALL) NOPASSWD: /bin/ls", None),
        ("zuul host7=(ALL) NOPASSWD: ALL", None),
        ("%zuul ALL=(ALL) NOPASSWD: ALL", True),
        ("%#1000 ALL=(ALL) NOPASSWD: ALL", True),
        ("#1000 ALL=(ALL) NOPASSWD: ALL", True),
        ("ALL, !zuul ALL=(ALL) NOPASSWD: ALL", None),
        ("User_Alias CI = zuul\nCI ALL=(ALL) NOPASSWD: ALL", True),
        ("User_Alias CI = zuul\nALL, !CI ALL=(ALL) NOPASSWD: ALL", None),
        ("User_Alias A = A\nA ALL=(ALL) NOPASSWD: ALL", None),
        ("Cmnd_Alias E = ALL\nzuul ALL=(ALL) NOPASSWD: E", True),
        ("zuul ALL=(ALL) NOPASSWD: ALL\nzuul ALL=(ALL) !ALL", None),
        ("Defaults:zuul !authenticate\nzuul ALL=(ALL) ALL", True),
        ("Defaults !authenticate\nDefaults:zuul authenticate\nzuul ALL=(ALL) ALL", False),
    ],
)
def test_who_is_root(tree: dict[str, Entry], text: str, expected: bool | None) -> None:
    tree["/etc/sudoers"] = text
    assert right(tree) is expected


def test_who_needs_no_password() -> None:
    found = sudo(
        "User_Alias A = a, !b\nA ALL=NOPASSWD: /bin/ls\n%sudo ALL=NOPASSWD: ALL\nc ALL=ALL\nDefaults:d !authenticate\n"
        "Defaults !authenticate\n"
    )
    assert [grant.who for grant in passwordless(found)] == ["a", "%sudo", "d", "ALL"]


def test_includes_are_resolved_in_order_inside_the_target(tree: dict[str, Entry]) -> None:
    tree["/etc/sudoers"] = "@include own\n#includedir /etc/sudoers.d\nroot ALL=ALL\n"
    tree["/etc/own"] = "a ALL=ALL\n@include /etc/../etc/sp\\ ace\n"
    tree["/etc/sp ace"] = "b ALL=ALL\n"
    tree["/etc/sudoers.d/10.conf"] = "c ALL=ALL\n"
    tree["/etc/sudoers.d/10-x~"] = "d ALL=ALL\n"
    tree["/etc/sudoers.d/20"] = Link("../own-linked")
    tree["/etc/own-linked"] = "e ALL=ALL\n"
    found = read_sudo(MemoryEngine(tree))
    assert found is not None
    assert [rule.users[0] for rule in found.rules] == ["a", "b", "e", "zuul", "root"]
    assert found.ignored == ("/etc/sudoers.d/10-x~", "/etc/sudoers.d/10.conf")


def test_a_file_that_includes_itself_ends() -> None:
    found = sudo("@include /etc/sudoers\n")
    assert any("too many levels" in problem.reason for problem in found.problems)


def test_an_included_file_that_is_not_there_is_a_problem() -> None:
    assert "is not there" in sudo("a ALL=ALL\n@include /etc/none\n").problems[0].reason
    assert sudo("@includedir /etc/none\n").problems == ()


def test_what_others_may_write_is_refused(tree: dict[str, Entry]) -> None:
    draft = Draft(MemoryEngine(tree))
    draft.write("/etc/sudoers.d/a", "a ALL=ALL\n", mode=0o666)
    draft.write("/etc/sudoers.d/b", "b ALL=ALL\n", mode=0o440, uid=1000)
    draft.write("/etc/sudoers.d/c", "c ALL=ALL\n", mode=0o460, gid=27)
    draft.write("/etc/sudoers.d/d", "d ALL=ALL\n", mode=0o460)
    found = read_sudo(draft)
    assert found is not None
    assert [file.path[-1] for file in found.files if file.refused] == ["a", "b", "c"]
    assert [rule.users[0] for rule in found.rules][-1] == "d"


def test_what_cannot_be_read_is_told(tree: dict[str, Entry]) -> None:
    tree["/etc/sudoers.d/90-zuul"] = Broken()
    found = read_sudo(MemoryEngine(tree))
    assert found is not None
    assert [problem.path for problem in found.unreadable] == ["/etc/sudoers.d/90-zuul"]


def test_no_sudo() -> None:
    assert read_sudo(MemoryEngine({"/etc/passwd": ""})) is None


def test_a_file_that_is_included_again_and_again(tree: dict[str, Entry]) -> None:
    tree["/etc/big"] = File(b"# \n" * 300_000)
    tree["/etc/sudoers.d/a"] = File(b"@include /etc/big\n" * 5)
    with pytest.raises(FactError, match="more than 4194304 bytes"):
        read_sudo(MemoryEngine(tree))


def test_backslashes_in_what_is_no_include(tree: dict[str, Entry]) -> None:
    tree["/etc/sudoers.d/a"] = File(b"@include " + b"\xff" * 60 + b" x\n@include " + b"\\" * 60 + b" x\n")
    found = read_sudo(MemoryEngine(tree))
    assert found
    assert [problem.line for problem in found.problems] == [1, 2]


def test_a_quote_without_an_end_needs_no_quadratic_time(tree: dict[str, Entry]) -> None:
    tree["/etc/sudoers.d/a"] = File(b'"' + b" a" * 300_000 + b"=/x\n")
    begin = time.monotonic()
    found = read_sudo(MemoryEngine(tree))
    assert found
    assert [problem.path for problem in found.problems] == ["/etc/sudoers.d/a"]
    assert time.monotonic() - begin < 5


def test_too_many_files(tree: dict[str, Entry]) -> None:
    tree.update({f"/etc/sudoers.d/{number}": File(b"") for number in range(2_000)})
    with pytest.raises(FactError, match="more than"):
        read_sudo(MemoryEngine(tree))


TOKENS = (
    "a",
    "ALL",
    "=",
    "(",
    ")",
    ":",
    ",",
    "!",
    " ",
    "\\",
    '"',
    "#",
    "NOPASSWD:",
    "Defaults",
    "User_Alias X",
    "\n",
    "%",
    "/b",
)


@given(st.lists(st.sampled_from(TOKENS)).map("".join))
def test_any_text_is_read(text: str) -> None:
    found = sudo(text)
    list(passwordless(found))
