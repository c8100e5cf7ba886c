"""The gate's own configuration: variables ``DIB_GATE_*``, all of them read here, all errors told at once."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diskimage_validator.errors import UsageError
from diskimage_validator.model import Severity

PREFIX: Final = "DIB_GATE_"
ENGINES: Final = ("auto", "direct", "guestfs", "both")
REJECTED: Final = ("keep", "remove")
BACKOFF: Final = "900:86400"


@dataclass(frozen=True)
class Settings:
    """How to judge, and what becomes of what does not pass. Durations in seconds.

    ``policy`` is the name of a shipped policy or an absolute path. ``reports`` is a folder, None for beside the image.
    ``qemu_img_options`` replaces the caller's, None leaves them. ``backoff`` is the first delay and the greatest; 0 is
    none. ``validator`` is the program that the element validate-root calls.
    """

    policy: str
    authorities: tuple[Path, ...]
    engine: str
    threshold: Severity
    reports: Path | None
    keep_rejected: bool
    qemu_img_options: str | None
    state: Path
    backoff: tuple[int, int]
    validator: str


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in ``environment``. What says nothing of its own says what the element validate-root is told.

    Raises UsageError with a line for every variable that makes no sense, unknown ones of this name among them: a typing
    error must not weaken the gate.
    """
    wrong = [
        f"{name}: there is no such variable" for name in environment if name.startswith(PREFIX) and name not in KNOWN
    ]

    def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = environment.get(name) or default
        if value not in allowed:
            wrong.append(f"{name} is '{value}', not {', '.join(allowed[:-1])} or {allowed[-1]}")
        return value

    policy = environment.get("DIB_GATE_POLICY") or environment.get("DIB_VALIDATE_ROOT_POLICY") or "container-node"
    severities = tuple(str(severity) for severity in Severity)
    threshold = choice("DIB_GATE_THRESHOLD", environment.get("DIB_VALIDATE_ROOT_THRESHOLD") or "warning", severities)
    engine = choice("DIB_GATE_ENGINE", "auto", ENGINES)
    rejected = choice("DIB_GATE_REJECTED", "keep", REJECTED)
    backoff = environment.get("DIB_GATE_BACKOFF") or BACKOFF
    if not re.fullmatch(r"\d{1,7}:\d{1,7}", backoff):
        wrong.append(f"DIB_GATE_BACKOFF is '{backoff}', not FIRST:GREATEST in seconds, such as {BACKOFF}")
    if wrong:
        raise UsageError("\n".join(wrong), "the manual's page on the gate has a table of all variables")
    first, _, greatest = backoff.partition(":")
    own = Path(sys.executable).with_name("diskimage-validator")
    return Settings(
        policy=str(Path(policy).absolute()) if Path(policy).is_file() else policy,
        authorities=tuple(Path(name).absolute() for name in _authorities(environment).split(":") if name),
        engine=engine,
        threshold=Severity(threshold),
        reports=Path(environment["DIB_GATE_REPORTS"]).absolute() if environment.get("DIB_GATE_REPORTS") else None,
        keep_rejected=rejected == "keep",
        qemu_img_options=environment.get("DIB_GATE_QEMU_IMG_OPTIONS"),
        state=state_folder(environment),
        backoff=(int(first), max(int(first), int(greatest))),
        validator=environment.get("DIB_VALIDATE_ROOT_COMMAND") or (str(own) if own.exists() else own.name),
    )


def state_folder(environment: Mapping[str, str]) -> Path:
    """Return where the gate remembers failures: ``DIB_GATE_STATE``, or a folder of this user (XDG base directories)."""
    home = environment.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return Path(environment.get("DIB_GATE_STATE") or Path(home, "airgap-image-factory", "gate")).absolute()


def _authorities(environment: Mapping[str, str]) -> str:
    for name in ("DIB_GATE_CA", "DIB_VALIDATE_ROOT_CA", "DIB_TRUSTED_CA_BUNDLE"):
        if environment.get(name):
            return environment[name]
    return ""


KNOWN: Final = frozenset(
    f"{PREFIX}{name}"
    for name in (
        "BACKOFF",
        "CA",
        "ENGINE",
        "POLICY",
        "QEMU_IMG_OPTIONS",
        "REJECTED",
        "REPORTS",
        "STATE",
        "THRESHOLD",
    )
)
