"""The order of versions, each package manager's own.

dpkg: deb-version(7), through univers. rpm: ``rpmvercmp`` of librpm, also through univers, whose order was held against
librpm's; epoch, version and release are split here, as ``rpmverParse`` of librpm does.
"""

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from diskimage_validator.errors import ValidatorError
from diskimage_validator.relations import OPERATORS

if TYPE_CHECKING:  # univers is imported when versions of that kind are compared
    from univers.debian import Version as DebianVersion

MAX_LENGTH: Final = 255
"""Characters of a version that is compared; a longer one is nobody's, and would only cost time."""
_RPM: Final = re.compile(
    r"(?:(?P<epoch>[0-9]{1,10}):)?(?P<version>[A-Za-z0-9._+~^]+)(?:-(?P<release>[A-Za-z0-9._+~^]+))?", re.ASCII
)
_COMPARISONS: Final[dict[str, Callable[[int, int], bool]]] = dict(
    zip(OPERATORS, (operator.lt, operator.le, operator.eq, operator.ge, operator.gt), strict=True)
)


class VersionError(ValidatorError):
    """A text is no version of that package manager, so nothing can be said about its order."""


def compare(manager: str, version: str, other: str) -> int:
    """Return -1, 0 or 1: whether ``version`` is older than, equal to or newer than ``other``.

    ``manager`` is ``dpkg`` or ``rpm``. A missing epoch is 0. A missing release (rpm) sorts before any. Raises
    VersionError for a text that is no version.
    """
    return _order(manager)(version, other)


def in_bounds(manager: str, version: str, relation: str, bound: str) -> bool:
    """Whether ``version`` is in the relation (one of ``relations.OPERATORS``) to ``bound``.

    A bound without epoch ignores the epoch; for rpm, a bound without release ignores the release. Raises VersionError
    for a text that is no version.
    """
    if ":" not in bound:
        version = version.partition(":")[2] or version
    if manager == "rpm" and "-" not in bound:
        version = version.partition("-")[0]
    return _COMPARISONS[relation](compare(manager, version, bound), 0)


def _order(manager: str) -> Callable[[str, str], int]:
    orders: dict[str, Callable[[str, str], int]] = {"dpkg": _compare_dpkg, "rpm": _compare_rpm}
    if manager not in orders:
        raise VersionError(f"the order of versions of '{manager}' is not known")
    return orders[manager]


def _compare_dpkg(version: str, other: str) -> int:
    from univers.debian import compare_versions

    return int(compare_versions(_parse_dpkg(version), _parse_dpkg(other)))


def _parse_dpkg(text: str) -> "DebianVersion":
    from univers.debian import Version as DebianVersion

    if len(text) <= MAX_LENGTH and text.isascii() and text == text.strip():
        try:
            parsed: DebianVersion = DebianVersion.from_string(text)
            return parsed
        except ValueError:
            pass
    raise VersionError(f"'{text[:80]}' is no version of dpkg", "the package database or the policy is damaged")


def _compare_rpm(version: str, other: str) -> int:
    from univers.rpm import vercmp

    (epoch, *rest), (other_epoch, *other_rest) = _parse_rpm(version), _parse_rpm(other)
    if epoch != other_epoch:
        return -1 if int(epoch) < int(other_epoch) else 1
    return next((order for a, b in zip(rest, other_rest, strict=True) if (order := vercmp(a, b))), 0)


def _parse_rpm(text: str) -> tuple[str, str, str]:
    """Return (epoch, version, release) of ``[epoch:]version[-release]``, the epoch without leading zeros."""
    match = _RPM.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if match is None:
        raise VersionError(f"'{text[:80]}' is no version of rpm", "the package database or the policy is damaged")
    return str(int(match["epoch"] or 0)), match["version"], match["release"] or ""
