"""Whether a running node can work with a registry: it builds an image, pushes it, and asks for what it pushed.

This is the one fact that has to write: into a temporary folder of the node, which is removed, and one small image in
the registry, under REPOSITORY, which is deleted again if the registry allows that. The image is made of nothing
(``FROM scratch``), so nothing needs to be there before. The tools' own configuration counts: CAs, mirrors, policy.json.
"""

import secrets
from typing import Final

from diskimage_validator.endpoints import Address
from diskimage_validator.engines.base import Engine
from diskimage_validator.errors import EngineError
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.live.asking import ask
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable

REPOSITORY: Final = "diskimage-validator/proof"
TIMEOUT: Final = 300.0
"""Seconds for one step. Under TCG, buildah takes ten to start."""
SHORT: Final = 60.0
MAX_DIGEST: Final = 100
MAX_SAID: Final = 400
"""Characters of an error that are kept: the last ones, because these tools say the cause at the end."""
PREPARE: Final = (
    'd=$(mktemp -d) && printf "FROM scratch\\nCOPY proof /proof\\n" >"$d/Containerfile" && echo proof >"$d/proof" '
    '&& printf %s "$d"'
)


@dataclass(frozen=True)
class Step:
    """One command. ``said`` is the last line of what it wrote on standard error, printable."""

    name: str
    command: str
    status: int
    said: str


@dataclass(frozen=True)
class RegistryProof:
    """What became of the steps ``build``, ``push``, ``inspect``, ``delete``: the first one that fails is the last.

    There is no step, and ``registry`` is empty, where nobody asked for a registry. ``pushed`` and ``inspected`` are
    digests, empty before their step. ``delete`` is there after a push, and may fail.
    """

    registry: str
    reference: str = ""
    steps: tuple[Step, ...] = ()
    pushed: str = ""
    inspected: str = ""


def read_live_registry(engine: Engine, registry: Address | None) -> RegistryProof | None:
    """Return what the node can do with ``registry``; None for a target that does not run.

    Raises FactError if nothing can be tried for want of a temporary folder.
    """
    if not engine.live:
        return None
    if registry is None:
        return RegistryProof("")
    folder = ask(engine, ["sh", "-c", PREPARE], timeout=SHORT, as_root=True)
    if not folder.startswith("/"):
        raise FactError("mktemp on the node: no folder")
    try:
        return _Proof(engine, str(registry), folder).run()
    finally:
        engine.run(["rm", "-rf", "--", folder], timeout=SHORT, as_root=True)


class _Proof:
    def __init__(self, engine: Engine, registry: str, folder: str) -> None:
        self._engine = engine
        self._registry = registry
        self._folder = folder
        self._reference = f"{registry}/{REPOSITORY}:{secrets.token_hex(8)}"
        self._steps: list[Step] = []

    def run(self) -> RegistryProof:
        # Storage of its own: nothing is left in the node's, and nothing of it is needed.
        buildah = ["buildah", "--root", f"{self._folder}/storage", "--runroot", f"{self._folder}/run"]
        buildah += ["--storage-driver", "vfs"]
        digest_file = f"{self._folder}/digest"
        pushed = inspected = ""
        build = [*buildah, "build", "--isolation", "chroot", "--tag", self._reference, self._folder]
        push = [*buildah, "push", "--digestfile", digest_file, self._reference, f"docker://{self._reference}"]
        inspect = ["skopeo", "inspect", "--format", "{{.Digest}}", f"docker://{self._reference}"]
        if self._succeeds("build", build) is not None and self._succeeds("push", push) is not None:
            pushed = self._engine.run(["cat", digest_file], timeout=SHORT, as_root=True).stdout.strip()
            inspected = (self._succeeds("inspect", inspect) or "").strip()
            self._succeeds("delete", ["skopeo", "delete", f"docker://{self._reference}"])
        digests = (printable(digest, MAX_DIGEST) for digest in (pushed, inspected))
        return RegistryProof(self._registry, self._reference, tuple(self._steps), *digests)

    def _succeeds(self, name: str, command: list[str]) -> str | None:
        """Run one step and note it down; return its standard output, None if it fails."""
        try:
            done = self._engine.run(command, timeout=TIMEOUT, as_root=True)
            status, output, said = done.status, done.stdout, _end(done.stderr)
        except EngineError as error:
            status, output, said = -1, "", error.message
        shown = " ".join(command).replace(self._folder, "DIR")
        self._steps.append(Step(name, shown, status, said if status else ""))
        return None if status else output


def _end(text: str) -> str:
    """Return the end of the last line that says something, fit for a report."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    return printable(said if len(said) <= MAX_SAID else f"…{said[1 - MAX_SAID :]}")
