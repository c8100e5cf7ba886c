"""Whether podman and docker really work: what they say of themselves (podman-info(1), docker info)."""

import json
from typing import Any, Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.live.asking import first_tool, last_line
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable

COMMANDS: Final = {
    "podman": ("podman", "info", "--format", "json"),
    "docker": ("docker", "info", "--format", "{{json .}}"),
}
TIMEOUT: Final = 60.0


@dataclass(frozen=True)
class Running:
    """A container engine. ``problem``: why it does not work, empty if it does; then the rest is known."""

    name: str
    version: str = ""
    driver: str = ""
    storage: str = ""
    problem: str = ""


def read_live_engines(engine: Engine) -> tuple[Running, ...] | None:
    """Return the container engines whose command is there, asked as root."""
    if not engine.live:
        return None
    return tuple(_ask(engine, name) for name in COMMANDS if first_tool(engine, [name]))


def _ask(engine: Engine, name: str) -> Running:
    done = engine.run(COMMANDS[name], timeout=TIMEOUT, as_root=True)
    try:
        found = json.loads(done.stdout)
    except (ValueError, RecursionError):
        return Running(name, problem=last_line(done.stderr) or f"no answer, exit status {done.status}")
    running = _podman(found) if name == "podman" else _docker(found)
    if done.status != 0 or not running.version:
        said = _path(found, "ServerErrors") if name == "docker" else ""
        return Running(name, problem=last_line(done.stderr) or said or f"exit status {done.status}")
    return running


def _podman(found: Any) -> Running:
    return Running(
        "podman",
        _path(found, "version", "Version"),
        _path(found, "store", "graphDriverName"),
        _path(found, "store", "graphRoot"),
    )


def _docker(found: Any) -> Running:
    return Running("docker", _path(found, "ServerVersion"), _path(found, "Driver"), _path(found, "DockerRootDir"))


def _path(found: Any, *keys: str) -> str:
    """Return the text at ``keys``, the first one of a list; empty if there is none."""
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    if isinstance(found, list):
        found = found[0] if found else None
    return printable(found, 300) if isinstance(found, str) else ""
