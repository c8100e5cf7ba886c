"""What a run imports: start-up is most of a short run, and what is imported without need comes back by itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import diskimage_validator
from diskimage_validator.cli import COMMANDS, cli
from diskimage_validator.oslo_inspector import format_inspector

REPORTING = {"cyclonedx", "jinja2", "junitparser", "packageurl", "rich"}
ENGINES = {"diskimage_validator.engines.appliance", "diskimage_validator.engines.guestfs", "guestfs", "paramiko"}
OTHERS = {"asyncio", "elftools", "oslo_utils.strutils", "pbr", "sqlite3", "ssl", "univers.rpm"}
UNWANTED = REPORTING | ENGINES | OTHERS


def imported(code: str) -> set[str]:
    """Return the names of the modules that a new interpreter has imported after ``code``."""
    program = f"{code}\nimport sys; print(*sys.modules, file=sys.stderr)"
    folder = str(Path(diskimage_validator.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": folder, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    return set(done.stderr.split())


def test_a_validation_imports_no_report_writer_but_its_own_and_no_engine_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").write_text("ID=debian\nVERSION_ID=12\n")
    options = ["validate", f"dir:{tmp_path}", "--policy", "container-node", "--format", "json"]
    modules = imported(f"from diskimage_validator.cli import run; run({options})")
    assert {"diskimage_validator.engines.directory", "diskimage_validator.reports.json_report"} <= modules
    assert modules & UNWANTED == set()


def test_a_report_for_people_that_is_no_terminals_needs_no_rich(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "os-release").write_text("ID=debian\nVERSION_ID=12\n")
    options = ["validate", f"dir:{tmp_path}", "--policy", "container-node", "--output", str(tmp_path / "report")]
    modules = imported(f"from diskimage_validator.cli import run; run({options})")
    assert "diskimage_validator.reports.text_report" in modules
    assert modules & UNWANTED == set()


def test_libraries_that_are_imported_quickly_do_what_they_do() -> None:
    code = (
        "import re; compiler = re.compile\n"
        "from diskimage_validator.quick_imports import import_quickly\n"
        "import_quickly()\n"
        "assert re.compile is compiler and isinstance(re.compile('a'), re.Pattern)\n"
        "from cryptography import x509\n"
        "import datetime, yaml\n"
        "name = x509.Name.from_rfc4514_string(r'CN=a\\2Cb+OU=\\C3\\BC,O=c')\n"
        "assert name.rfc4514_string() == r'CN=a\\,b+OU=\u00fc,O=c', name\n"
        "assert yaml.safe_load('a: 2020-01-31\\nb: 1_0') == {'a': datetime.date(2020, 1, 31), 'b': 10}\n"
        "try: yaml.safe_load('a: \\x07')\n"
        "except yaml.reader.ReaderError: pass\n"
        "else: raise AssertionError\n"
    )
    assert "diskimage_validator.quick_imports" in imported(code)


def test_our_expressions_are_compiled_when_they_are_used_and_those_of_others_at_once() -> None:
    code = (
        "import re; compiler = re.compile\n"
        "from diskimage_validator.quick_imports import LatePattern, our_late_patterns\n"
        "with our_late_patterns():\n"
        "    from diskimage_validator.facts import os_release, packages\n"
        "    import textwrap\n"
        "assert re.compile is compiler\n"
        "assert isinstance(textwrap.TextWrapper.wordsep_re, re.Pattern)\n"
        "late = packages._LINE\n"
        "assert isinstance(late, LatePattern) and late.match('Package: jq') and not late.match(':')\n"
        "assert late.pattern.startswith('[') and late.flags & re.ASCII\n"
    )
    assert "diskimage_validator.quick_imports" in imported(code)


def test_what_waits_for_the_end_of_the_program_is_done_and_what_was_written_is_there() -> None:
    code = (
        "import atexit, weakref\n"
        "from diskimage_validator.cli import main\n"
        "class Kept: pass\n"
        "kept = Kept(); weakref.finalize(kept, print, 'finalized')\n"
        "atexit.register(print, 'at the end')\n"
        "print('written', end=' ')\n"
        "main()\n"
    )
    folder = str(Path(diskimage_validator.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": folder}
    for arguments, status in ((["--version"], 0), (["validate"], 2)):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == status
        assert done.stdout.startswith("written")
        assert "at the end" in done.stdout
        assert "finalized" in done.stdout


def test_output_that_cannot_be_written_is_no_success() -> None:
    command = [sys.executable, "-m", "diskimage_validator", "schema", "policy"]
    folder = str(Path(diskimage_validator.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": folder}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, env=environment)
    assert done.returncode != 0


def test_the_api_imports_nothing_before_it_is_used() -> None:
    modules = imported("import diskimage_validator")
    assert {name for name in modules if name.startswith("diskimage_validator")} == {"diskimage_validator"}


@pytest.mark.parametrize("name", diskimage_validator.__all__)
def test_every_name_of_the_api_is_there(name: str) -> None:
    assert getattr(diskimage_validator, name).__name__ == name


def test_a_name_that_the_api_does_not_have_is_an_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(diskimage_validator, "nothing")  # noqa: B009 - mypy knows that it is not there


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_found_under_its_name(name: str) -> None:
    command = cli.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    assert command.name == name


def test_the_inspector_of_formats_is_oslos_and_leaves_its_package_whole() -> None:
    code = (
        "from diskimage_validator.oslo_inspector import format_inspector as ours\n"
        "module = ours()\n"
        "from oslo_utils import imageutils\n"
        "from oslo_utils.imageutils import format_inspector\n"
        "assert format_inspector is module is ours() and imageutils.QemuImgInfo"
    )
    assert "oslo_utils.strutils" in imported(code)
    assert format_inspector().__name__ == "oslo_utils.imageutils.format_inspector"
