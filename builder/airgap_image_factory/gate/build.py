"""One run of diskimage-builder: a raw disk, and whatever else it makes, in a folder that is nobody's but ours.

Elements bake how diskimage-builder was called. So that the image is the one that plain disk-image-create makes,

- the gate's variables are taken out of the environment, since ``manifests`` bakes all ``DIB_*``, and what validate-root
  is told has names of another kind;
- hooks see the caller's arguments and elements, by ``concealment``.
"""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from airgap_image_factory.dib import program, search_path
from airgap_image_factory.dib_process import run_dib
from airgap_image_factory.errors import BuildError
from airgap_image_factory.gate import concealment
from airgap_image_factory.gate.front import interruption, is_interrupted
from airgap_image_factory.gate.log import BuildLog
from airgap_image_factory.gate.options import Invocation
from airgap_image_factory.gate.settings import PREFIX, Settings
from airgap_image_factory.gate.verdicts import Verdict, root_verdict
from diskimage_validator.elements import elements_path

ELEMENT: Final = "validate-root"
VARIABLES: Final = "AIRGAP_GATE_"
"""So begin the variables that validate-root's environment.d reads where its own are not set: the gate unsets them."""
_TAKEN_OUT: Final = (PREFIX, "DIB_VALIDATE_ROOT_")
ROOT_REPORT: Final = "root-report.json"
KEPT_WHEN_CLEARED: Final = ("HOME", "LOGNAME", "PATH", "TERM", "USER")
"""What ``-c`` leaves of the environment."""


def outer_elements_path(environment: Mapping[str, str]) -> str:
    """Return the caller's ELEMENTS_PATH and our elements: every one of the caller's comes first."""
    return ":".join(filter(None, (environment.get("ELEMENTS_PATH"), str(elements_path()))))


def build(
    invocation: Invocation,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    scratch: Path,
    base: Path,
    reports: Path,
    log: BuildLog,
) -> Verdict:
    """Build ``<base>.raw``, if a disk is asked for, and what diskimage-builder makes of the tree; validate the root.

    validate-root writes its reports to ``reports``. Returns its verdict; with a bad one the build has ended there.
    Raises BuildError if anything else fails.
    """
    own = scratch / "elements"
    own.mkdir()
    # Whatever the caller's ELEMENTS_PATH calls by this name, it is ours that judges.
    (own / ELEMENT).symlink_to(elements_path() / ELEMENT)
    outer = outer_elements_path(environment)
    inherited = _inherited(invocation, environment)
    formats = [*invocation.trees, *(["raw"] if invocation.disks else [])]
    is_asked_for = concealment.is_asked_for(ELEMENT, invocation, inherited, outer)
    concealment.write_element(own, invocation.arguments, [] if is_asked_for else [ELEMENT])
    elements = [*(name for name in invocation.elements if name != ELEMENT), ELEMENT, concealment.ELEMENT]
    command = [program(), *invocation.passed, "-t", ",".join(formats), "-o", str(base), *elements]
    inner = {
        **inherited,
        **_variables(settings, reports),
        "ELEMENTS_PATH": f"{own}:{outer}",
        "PATH": search_path(),
        "TMPDIR": str(scratch),
        "TMP_DIR": str(scratch),
    }

    def relay(line: str) -> None:
        log.passes(line)
        if not log.is_heard and not is_interrupted():
            raise interruption(signal.SIGPIPE)

    status = run_dib(command, inner, relay)
    verdict = root_verdict(reports / ROOT_REPORT, settings.threshold)
    if status != 0 and (verdict is None or verdict.status == 0):
        raise BuildError(f"not built: {log.reason(status)}")
    if verdict is None:
        raise BuildError("not built: the element validate-root did not judge the root")
    return verdict


def _inherited(invocation: Invocation, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what diskimage-builder gets to see of the environment.

    ``-c`` is obeyed here: diskimage-builder 3.43 starts itself anew for it, and refuses to run that way.
    """
    if invocation.clear_environment:
        return {name: value for name, value in environment.items() if name in KEPT_WHEN_CLEARED}
    return {name: value for name, value in environment.items() if not name.startswith(_TAKEN_OUT)}


def _variables(settings: Settings, reports: Path) -> dict[str, str]:
    """Return what validate-root is told."""
    values = {
        "CA": ":".join(str(path) for path in settings.authorities),
        "COMMAND": settings.validator,
        "POLICY": settings.policy,
        "REPORTS": str(reports),
        "THRESHOLD": str(settings.threshold),
    }
    return {f"{VARIABLES}{name}": value for name, value in values.items()}
