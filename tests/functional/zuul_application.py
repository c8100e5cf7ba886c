"""Zuul from PyPI in an environment of its own, with the Ansible that runs its jobs; and a build, as executors run it.

Zuul's own parser reads the configuration, and its own action plugin ``zuul_return`` checks and stores what a job
returns. What is missing is the scheduler: the order of a job's playbooks, of which the first that fails is the last.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.functional import applications

ROOT = Path(__file__).parents[2]
# ansible-core 2.18 is Ansible 11, with which Zuul 14 runs jobs.
REQUIREMENTS = ["zuul==14.*", "ansible-core==2.18.*"]
TIMEOUT = 600


@dataclass(frozen=True)
class Zuul:
    """An environment with Zuul and Ansible in it."""

    folder: Path

    def python(self, *arguments: str) -> str:
        """Return what Python says on standard output."""
        command = [str(self.folder / "bin/python"), *arguments]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=TIMEOUT).stdout

    def parsed(self, *files: Path) -> list[dict[str, Any]]:
        """Return what Zuul's parser says of each of ``files``; see ``zuul_parser.py``."""
        found: list[dict[str, Any]] = json.loads(
            self.python(str(Path(__file__).with_name("zuul_parser.py")), *map(str, files))
        )
        return found


def install(folder: Path) -> Zuul:
    """Install Zuul into ``folder`` unless it is there. About a minute; 500 MB."""
    applications.install(folder, REQUIREMENTS)
    return Zuul(folder)


@dataclass
class Build:
    """One build of a job: its folder on the executor, its variables, and what it has returned.

    ``hosts`` are the nodes, each with variables of its own: this host, unless they say another connection; ``groups``
    has groups of them. ``output`` is all that Ansible said.
    """

    zuul: Zuul
    folder: Path
    variables: dict[str, Any]
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"builder": {}})
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    output: str = ""

    def __post_init__(self) -> None:
        (self.folder / "work/logs").mkdir(parents=True)
        # Zuul's executor makes it; the plugin wants it to be there.
        (self.folder / "work/results.json").touch()
        plugins = self.folder / "plugins"
        plugins.mkdir()
        place = self.zuul.python("-c", "import zuul.ansible; print(zuul.ansible.__path__[0])").strip()
        (plugins / "zuul_return.py").symlink_to(Path(place, "11/action/zuul_return.py"))
        connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {name: {**connection, **own} for name, own in self.hosts.items()}
        groups = {name: {"hosts": dict.fromkeys(members)} for name, members in self.groups.items()}
        (self.folder / "inventory.json").write_text(json.dumps({"all": {"hosts": hosts, "children": groups}}))

    @property
    def logs(self) -> Path:
        return self.folder / "work/logs"

    @property
    def returned(self) -> dict[str, Any]:
        """What the job returned to Zuul: ``zuul`` with artifacts and warnings; empty if it returned nothing."""
        text = (self.folder / "work/results.json").read_text()
        found: dict[str, Any] = json.loads(text)["data"] if text else {}
        return found

    def artifacts(self, kind: str) -> list[dict[str, Any]]:
        """Return the artifacts whose type is ``kind``."""
        found = self.returned.get("zuul", {}).get("artifacts", [])
        return [artifact for artifact in found if artifact["metadata"]["type"] == kind]

    def run(self, job: Mapping[str, Any]) -> bool:
        """Run a parsed job's playbooks as Zuul's executor does, and return whether it passed."""
        self.variables = {**job["variables"], **self.variables}
        passed = all(self.play(playbook) for playbook in job["run"])  # the first that fails is the last
        after = [self.play(playbook) for playbook in job["post_run"]]
        return passed and all(after)

    def play(self, playbook: str) -> bool:
        """Run one playbook and return whether it passed on all hosts."""
        zuul = {"build": "b" * 32, "executor": {"log_root": str(self.logs), "work_root": str(self.folder / "work")}}
        variables = {"ansible_user_dir": str(self.folder), **self.variables}
        variables["zuul"] = {**zuul, **variables.get("zuul", {})}
        (self.folder / "variables.json").write_text(json.dumps(variables))
        command = [str(self.zuul.folder / "bin/ansible-playbook"), "--inventory", str(self.folder / "inventory.json")]
        command += ["-vvv", "--forks", "4", "--extra-vars", f"@{self.folder}/variables.json", str(ROOT / playbook)]
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,  # a worker's own is not blocking, which Ansible refuses
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            cwd=self.folder,
            env={**os.environ, **self._environment(), **self.environment},
        )
        self.output += done.stdout
        return done.returncode == 0

    def _environment(self) -> dict[str, str]:
        roles = [ROOT / "roles", Path(__file__).with_name("zuul_jobs") / "roles"]
        return {
            "ANSIBLE_ACTION_PLUGINS": str(self.folder / "plugins"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible/tmp"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_REMOTE_TEMP": str(self.folder / "ansible/remote"),
            "ANSIBLE_ROLES_PATH": ":".join(map(str, roles)),
            "LC_ALL": "C.UTF-8",
            "ZUUL_JOBDIR": str(self.folder),
        }
