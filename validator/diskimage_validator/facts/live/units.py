"""What systemd says of a running system: its state as a whole, and the units that failed (systemctl(1))."""

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.live.asking import ask, last_line
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable


@dataclass(frozen=True)
class Units:
    """``state``: ``running``, ``degraded``, ``starting`` and so on; ``failed``: names of units, sorted."""

    state: str
    failed: tuple[str, ...]


def read_units(engine: Engine) -> Units | None:
    """Return what systemd says. Raises FactError if the system was not booted with it."""
    if not engine.live:
        return None
    # Its exit status only tells whether it is "running".
    done = engine.run(["systemctl", "is-system-running"], timeout=30)
    state = done.stdout.strip()
    if not state or state in ("offline", "unknown"):
        raise FactError(f"systemd does not run on the node: {last_line(done.stderr) or state or 'no systemctl'}")
    listed = ask(engine, ["systemctl", "list-units", "--failed", "--plain", "--no-legend", "--full", "--no-pager"])
    failed = {line.split()[0] for line in listed.splitlines() if line.split()}
    return Units(printable(state), tuple(sorted(map(printable, failed))))
