"""Whether an image has the evidence that is demanded of it. What was not signed by a trusted key is not even read."""

import datetime
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from diskimage_validator.attestation.statement import Statement, parse_statement
from diskimage_validator.errors import RefusedError
from diskimage_validator.frozen import dataclass
from diskimage_validator.printable import printable

if TYPE_CHECKING:  # cryptography is not needed for a Statement that nobody signed
    from securesystemslib.signer import SSlibKey

CLOCK_SKEW: Final = datetime.timedelta(minutes=5)
"""How much earlier our clock may be than the validator's."""


@dataclass(frozen=True)
class Demands:
    """What a Statement has to be. No ``keys``: it need not be signed. ``policy_sha256`` "": any policy will do."""

    keys: Sequence["SSlibKey"]
    policy_sha256: str = ""
    max_age: datetime.timedelta | None = None


@dataclass(frozen=True)
class Evidence:
    """A Statement that is all that was demanded; ``keyid`` is that of the key that signed it, or empty."""

    statement: Statement
    keyid: str


def judge(data: bytes, sha256: str, demands: Demands, now: datetime.datetime) -> Evidence:
    """Return what ``data``, an envelope or a bare Statement, says about the image with ``sha256`` (lower-case hex).

    ``now`` has a time zone. Raises RefusedError with a line per reason if it is not what ``demands`` say.
    """
    try:
        statement, keyid = _read(data, demands.keys)
    except ValueError as error:
        raise RefusedError(f"refused: the statement is not valid: {error}") from error
    if reasons := list(_reasons(statement, sha256, demands, now)):
        raise RefusedError("\n".join(f"refused: {reason}" for reason in reasons))
    return Evidence(statement, keyid)


def _read(data: bytes, keys: Sequence["SSlibKey"]) -> tuple[Statement, str]:
    if not keys:
        return parse_statement(data), ""
    from diskimage_validator.attestation.envelope import opened

    payload, key = opened(data, keys)
    return parse_statement(payload), key.keyid


def _reasons(statement: Statement, sha256: str, demands: Demands, now: datetime.datetime) -> Iterator[str]:
    if statement.sha256 != sha256:
        name = printable(statement.image)
        yield f"the image has sha256 {sha256}, the statement is about {name} with {statement.sha256}"
    if statement.result == "FAILED":
        yield f"the image failed: {', '.join(map(printable, statement.failed)) or 'nothing was checked'}"
    if demands.policy_sha256 and statement.policy_sha256 != demands.policy_sha256:
        held = f"{printable(statement.policy)}, sha256 {statement.policy_sha256}"
        yield f"it was held against the policy {held}; sha256 {demands.policy_sha256} is demanded"
    age = now - statement.started
    if age < -CLOCK_SKEW:
        yield f"it was validated at {statement.started:%Y-%m-%d %H:%M %Z}, which is in the future"
    if demands.max_age is not None and age > demands.max_age:
        yield f"it was validated at {statement.started:%Y-%m-%d %H:%M %Z}, which is longer ago than is allowed"
