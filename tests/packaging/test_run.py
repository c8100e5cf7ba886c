"""./run itself: what it reads, what it says when it may not install, and that a second call is quick to start."""

import shutil
import subprocess
from pathlib import Path

import pytest
from bindep.depends import Depends

ROOT = Path(__file__).parents[2]
PROFILES = ("image", "proof", "test", "doc", "fuzz", "bench", "kernel")


def ask_run(profile: str, family: str) -> set[str]:
    """Return what ./run itself reads from bindep.txt."""
    script = f'source <(sed -n "/^wanted_packages/,/^}}/p" {ROOT}/run); wanted_packages {family} {profile}'
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("family", ["dpkg", "rpm"])
@pytest.mark.parametrize("profile", PROFILES)
def test_run_reads_bindep_txt_as_bindep_does(profile: str, family: str) -> None:
    depends = Depends((ROOT / "bindep.txt").read_text(), filename="bindep.txt")
    rules = depends.active_rules([profile, f"platform:{family}"])
    expected = {rule[0] for rule in rules}
    assert expected
    assert ask_run(profile, family) == expected


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a small copy of the project whose bindep.txt wants a package that nobody has."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("run", "setup.cfg", "setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "bindep.txt").write_text("no-such-package [platform:dpkg image]\nbash [platform:dpkg image]\n")
    for path in (tmp_path.parent.parent, tmp_path.parent, tmp_path, folder):
        path.chmod(path.stat().st_mode | 0o055)  # with --basetemp, the first of them may be /tmp itself
    return folder


@pytest.fixture
def path_without_sudo(tmp_path: Path) -> str:
    """Return a PATH with everything of the host but sudo."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for source in ("/usr/bin", "/usr/sbin"):
        for program in Path(source).iterdir():
            link = folder / program.name
            if program.name != "sudo" and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def test_neither_root_nor_sudo_names_the_packages_and_stops(checkout: Path, path_without_sudo: str) -> None:
    done = subprocess.run(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", str(checkout / "run"), "image"],
        env={"PATH": path_without_sudo},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: these packages are missing: no-such-package\n")
    assert not (checkout / ".venv").exists()


def test_without_a_command_it_says_how_to_use_it() -> None:
    done = subprocess.run([str(ROOT / "run")], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "./run image" in done.stderr
    assert "./run test" in done.stderr
    assert "./run fuzz" in done.stderr


def test_fuzzing_wants_a_number_of_seconds() -> None:
    done = subprocess.run([str(ROOT / "run"), "fuzz", "policy"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: 'policy' is no number of seconds\n")


@pytest.mark.parametrize(("ending", "status"), [("return 100", 100), ("kill -TERM $BASHPID", 143), ("return 0", 0)])
def test_no_setting_of_ours_stays_on_the_host_however_an_installation_ends(
    ending: str, status: int, tmp_path: Path
) -> None:
    script = f"""
        source <(sed -n '/^install_packages/,/^}}/p' {ROOT}/run)
        say() {{ :; }}; has_kernel() {{ :; }}; dpkg-query() {{ :; }}; apt-get() {{ :; }}; sudo() {{ :; }}
        wanted_packages() {{ echo postgresql; }}
        missing_packages() {{ cat; }}
        as_root() {{
            case $1 in
                install) touch {tmp_path}/setting {tmp_path}/was-there ;;
                rm) rm {tmp_path}/setting ;;
                env) {ending} ;;
            esac
        }}
        install_packages test
    """
    done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-c", script], check=False)
    assert done.returncode == status
    assert [path.name for path in tmp_path.iterdir()] == ["was-there"]
