"""Many targets at once: each has its own verdict, in the order in which they were named."""

from pathlib import Path

from diskimage_validator.errors import UsageError
from diskimage_validator.fleet import validate_many
from diskimage_validator.model import Report
from tests.support import images


def roots(folder: Path, *releases: str) -> list[str]:
    targets = []
    for release in releases:
        root = folder / release / "usr/lib"
        root.mkdir(parents=True)
        (root / "os-release").write_text(f"ID={release}\n")
        targets.append(f"dir:{folder / release}")
    return targets


def test_order_and_errors(tmp_path: Path) -> None:
    targets = [*roots(tmp_path, "debian", "fedora"), "/nonesuch.qcow2"]
    policy = images.policy(os={"any": [{"id": "debian"}]}, certificates={"anchors": False})
    said: list[str] = []
    first, second, third = validate_many(targets, policy, jobs=2, progress=said.append)
    assert isinstance(first, Report)
    assert isinstance(second, Report)
    assert [result.status for result in (first.results[0], second.results[0])] == ["pass", "fail"]
    assert isinstance(third, UsageError)
    assert any(step.startswith(f"{targets[0]}: reading") for step in said)


def test_no_target_is_no_report() -> None:
    assert validate_many([], images.policy()) == []
