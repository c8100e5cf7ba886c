"""Data flows one way: engines -> facts -> checks -> reports, and only the command line talks to the world."""

import ast
from collections.abc import Iterator
from pathlib import Path

import diskimage_validator

ROOT = Path(diskimage_validator.__file__).parent
PACKAGE = "diskimage_validator"
TALKERS = {"cli", "cli_console", "__main__"}
PURE = {
    "model",
    "errors",
    "printable",
    "sizes",
    "frozen",
    "consumers",
    "durations",
    "fstab",
    "globs",
    "relations",
    "certificates",
    "policy_lines",
    "policy_model",
    "rules",
    "der",
    "endpoints",
    "name_hash",
    "path_faults",
    "path_search",
    "path_validation",
    "pem",
    "tooling",
    "versions",
}
"""Modules at the top that anything may import, because they import nothing but each other."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield (dotted name below the package, syntax tree) of every module."""
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Return the absolute names that a module imports anywhere, ``a.b.c`` for ``from a.b import c`` too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def inner(tree: ast.AST) -> set[str]:
    """Return what a module imports from this package, without the package's name."""
    return {name.removeprefix(f"{PACKAGE}.") for name in imports(tree) if name.startswith(f"{PACKAGE}.")}


def offenders(part: str, *forbidden: str, but: frozenset[str] = frozenset()) -> list[str]:
    """Return the modules of ``part`` that import something below one of ``forbidden``."""
    return [
        f"{name} imports {imported}"
        for name, tree in modules()
        if name == part or name.startswith(f"{part}.")
        for imported in inner(tree)
        if any(imported == wrong or imported.startswith(f"{wrong}.") for wrong in forbidden) and imported not in but
    ]


def test_the_modules_are_found() -> None:
    names = {name for name, _ in modules()}
    assert {"cli", "runner", "engines.base", "checks.disk", "facts.packages", "reports.json_report"} <= names


def test_checks_know_facts_and_rules_and_nothing_of_engines_or_reports() -> None:
    assert offenders("checks", "engines", "reports", "runner", "cli", "process", "policy", "image_file") == []


def test_facts_know_of_engines_only_what_an_engine_is() -> None:
    allowed = frozenset(f"engines.base.{name}" for name in ("Engine", "Filesystem", "PATH_MAX", "Partition", "Stat"))
    assert offenders("facts", "engines", but=allowed) == []
    # A copy of this process reads nothing but what facts read.
    copy = frozenset({"process.fork.Fork"})
    assert offenders("facts", "checks", "policy", "policy_model", "reports", "runner", "cli", "process", but=copy) == []


def test_engines_know_nothing_of_facts_checks_and_reports() -> None:
    assert offenders("engines", "facts", "checks", "reports", "policy", "policy_model", "runner", "cli") == []


def test_reports_know_nothing_of_engines_at_work() -> None:
    allowed = frozenset({"engines.base.Filesystem"})
    assert offenders("comparison", "checks", "policy", "policy_model", "reports", "runner", "cli", "process") == []
    assert offenders("reports", "engines", "runner", "cli", "policy", "process", but=allowed) == []


def test_readiness_has_the_same_layers_with_probes_in_the_place_of_engines() -> None:
    above = ("readiness.runner", "readiness.document", "readiness.plan", "reports", "runner", "cli", "policy")
    read = frozenset({"runner.inspect", "reports.json_reader.read_report"})
    assert offenders("readiness.checks", "readiness.probes", "engines", "process", "chain_fetch", *above) == []
    assert offenders("readiness.probes", "readiness.checks", "readiness.factory", "checks", *above, but=read) == []
    assert offenders("readiness.facts", "readiness.probes", "readiness.checks", "engines", "process", *above) == []
    assert offenders("readiness.plan", "readiness.probes", "engines", "process", "chain_fetch") == []


def test_of_readiness_only_probes_talk_to_the_network() -> None:
    talkers = {"socket", "ssl", "dns", "http", "urllib", "kazoo", "paramiko"}
    for name, tree in modules():
        if name.startswith("readiness.") and not name.startswith("readiness.probes"):
            assert not talkers & {imported.split(".")[0] for imported in imports(tree)}, name


def test_evidence_is_made_of_reports_and_knows_nothing_of_images_or_how_they_were_judged() -> None:
    assert offenders("attestation", "engines", "checks", "policy", "policy_model", "runner", "cli", "process") == []


def test_what_is_at_the_bottom_imports_nothing_from_above() -> None:
    for name, tree in modules():
        if name.split(".")[0] in PURE:
            assert {imported.split(".")[0] for imported in inner(tree)} <= PURE, name


def test_only_process_starts_processes() -> None:
    starters = {"subprocess", "pty", "multiprocessing"}
    calls = {"system", "popen", "fork", "posix_spawn", "spawnv", "execv", "execvp"}
    for name, tree in modules():
        if name.split(".")[0] == "process":
            continue
        assert not starters & {imported.split(".")[0] for imported in imports(tree)}, name
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "os":
                assert node.attr not in calls, f"{name} calls os.{node.attr}"


def test_only_the_command_line_prints_and_exits() -> None:
    wrong = {"print", "exit", "quit", "input", "sys.exit", "sys.stdout", "sys.stderr", "os._exit", "SystemExit"}
    for name, tree in modules():
        if name.split(".")[0] in TALKERS:
            continue
        used = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)}
        used -= {"os._exit"} if name == "process.fork" else set()  # which ends a process that it made
        assert not used & wrong, f"{name}: {used & wrong}"
        assert not {"click"} & {imported.split(".")[0] for imported in imports(tree)}, name
