"""Questions to build nodes and other systems, through the engines that run commands on them."""

from typing import Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.engines.open import open_target
from diskimage_validator.errors import EngineError
from diskimage_validator.facts.live.space import Space, space_at
from diskimage_validator.process import NOT_FOUND
from diskimage_validator.readiness.facts.dns import AskNode, NodeLookups
from diskimage_validator.readiness.facts.storage import AskSpace
from diskimage_validator.readiness.probes.means import Means

GETENT_NOT_FOUND: Final = 2
"""One or more supplied keys could not be found in the database (getent(1))."""


def ask_node(ask: AskNode, means: Means) -> NodeLookups:
    """Return what the node resolves. Raises a ValidatorError if it cannot be asked."""
    with open_target(ask.node, ssh=means.ssh) as engine:
        return NodeLookups(tuple((name, _resolved(engine, name, means.timeout)) for name in ask.names))


def _resolved(engine: Engine, name: str, timeout: float) -> tuple[str, ...]:
    try:
        done = engine.run(["getent", "ahosts", name], timeout=timeout)
    except EngineError as error:
        hint = error.hint or "do the resolvers in the node's resolv.conf answer? they have to refuse the name at once"
        raise EngineError(error.message, hint) from error
    if done.status not in (0, GETENT_NOT_FOUND):
        reason = "getent: not found" if done.status == NOT_FOUND else done.stderr.strip() or f"status {done.status}"
        raise EngineError(f"getent ahosts {name} on the node: {reason}", "is it a Linux node with a C library?")
    fields = [line.split() for line in done.stdout.splitlines()]
    return tuple(dict.fromkeys(line[0] for line in fields if line)) if done.status == 0 else ()


def ask_space(ask: AskSpace, means: Means) -> Space:
    """Return the room at a folder. Raises a ValidatorError if that cannot be told."""
    with open_target(ask.node, ssh=means.ssh) as engine:
        return space_at(engine, ask.path, means.timeout)
