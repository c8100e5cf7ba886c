"""The states of units are those that the real systemctl gives for the same tree."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from diskimage_validator.engines.directory import DirectoryEngine
from diskimage_validator.facts.services import Services, read_services

pytestmark = pytest.mark.skipif(shutil.which("systemctl") is None, reason="systemctl is not installed")

FOLDERS = ("etc/systemd/system", "run/systemd/system", "usr/local/lib/systemd/system", "usr/lib/systemd/system")
NAMES = ("a.service", "b.service", "a.socket", "t@.service", "t@x.service", "u@.service", "default.target", "m.target")
TEXTS = (
    "[Service]\nExecStart=/bin/true\n",
    "[Install]\nWantedBy=m.target\n",
    "[Install]\nWantedBy=m.target\nWantedBy=\n",
    "[Install]\nAlias=b.service t@y.service\n",
    "[Install]\nAlso=a.socket\n",
    "[Install]\n; comment \\\nWantedBy=m.target\nDefaultInstance=x\n",
    "[Install]\nRequired\\\nBy=m.target\n",
    "[Install\nWantedBy=m.target\n",
    "[Unit]\nWants=b.service\nno assignment\n",
    "",
)
PRESETS = ("enable a.*\ndisable *\n", "disable t@.service\n", "enable t@x.service\ndisable b.service\n", "# none\n")

folders = st.sampled_from(FOLDERS)
names = st.sampled_from(NAMES)
files = st.tuples(folders, names, st.sampled_from(TEXTS))
targets = st.one_of(
    st.just("/dev/null"),
    st.builds("/{}/{}".format, folders, names),
    st.builds("../../../{}/{}".format, folders, names),
    names,
    st.builds("/opt/{}".format, names),
)
links = st.tuples(folders, names, targets)
pulls = st.tuples(folders, st.sampled_from(("m.target.wants", "default.target.requires")), names, targets)
drop_ins = st.tuples(folders, names, st.sampled_from(("1.conf", "2.conf", "x")), st.sampled_from(TEXTS[:7]))
presets = st.tuples(
    st.sampled_from(("etc", "usr/lib")), st.sampled_from(("1.preset", "2.preset")), st.sampled_from(PRESETS)
)


def systemctl(root: Path) -> dict[str, tuple[str, str]]:
    """Return state and preset of all units as systemctl lists them."""
    command = ["systemctl", f"--root={root}", "list-unit-files", "--no-legend", "--no-pager", "--full"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0 or not done.stdout, done.stderr  # 1: there is no unit
    rows = (line.split() for line in done.stdout.splitlines())
    return {name: (state, preset) for name, state, preset in rows}


def ours(root: Path) -> Services | None:
    with DirectoryEngine(root) as engine:
        return read_services(engine)


def make(path: Path, content: str | None, target: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.exists():
        return
    if content is None:
        path.symlink_to(target)
    else:
        path.write_text(content)


def is_same_name(name: str, target: str) -> bool:
    """Whether a link leads to the same name in another folder: systemctl 252 then leaves --root and says ``bad``."""
    return target.endswith(name) and not target.startswith("/opt/")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(files, max_size=6),
    st.lists(links, max_size=4),
    st.lists(pulls, max_size=3),
    st.lists(drop_ins, max_size=2),
    st.lists(presets, max_size=2),
)
def test_any_tree(
    tmp_path: Path,
    written: list[tuple[str, str, str]],
    linked: list[tuple[str, str, str]],
    pulled: list[tuple[str, str, str, str]],
    dropped: list[tuple[str, str, str, str]],
    preset: list[tuple[str, str, str]],
) -> None:
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    (root / "usr/lib/systemd/system").mkdir(parents=True)
    (root / "lib").symlink_to("usr/lib")
    for folder, name, text in written:
        make(root / folder / name, text)
    for folder, name, target in linked:
        if not is_same_name(name, target):
            make(root / folder / name, None, target)
    make(root / "opt/a.service", TEXTS[1])
    for folder, wants, name, target in pulled:
        make(root / folder / wants / name, None, target)
    for folder, name, file, text in dropped:
        make(root / folder / f"{name}.d" / file, text)
    for parent, name, text in preset:
        make(root / parent / "systemd/system-preset" / name, text)
    services = ours(root)
    found = services.units if services else {}
    listed = systemctl(root)
    states = {name: state for name, (state, _) in listed.items()}
    assert {name: found[name].state for name in states} == states
    judged = {name: word for name, (_, word) in listed.items() if word in ("enabled", "disabled")}
    assert {name: "enabled" if found[name].preset else "disabled" for name in judged} == judged
