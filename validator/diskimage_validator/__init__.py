"""Read a finished disk image and say whether it is what was asked for.

The API::

    from diskimage_validator import load_policy, validate

    report = validate("node.qcow2", load_policy("container-node", ca_files=["internal-ca.pem"]))
    print(report.exit_status(), report.as_dict())

``validate(target, policy)`` returns a Report, ``inspect(target)`` the Facts that were read,
``load_policy(name_or_path)`` a Policy, and ``open_target(target)`` an Engine, a read-only view of the image's files.
All of them raise subclasses of ValidatorError with a ``message`` and a ``hint``; nothing here prints or exits.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from diskimage_validator.engines.open import open_target
    from diskimage_validator.errors import ValidatorError
    from diskimage_validator.policy import load_policy
    from diskimage_validator.runner import inspect, validate

__all__ = ["ValidatorError", "inspect", "load_policy", "open_target", "validate"]

_PLACES: Final = {
    "ValidatorError": "errors",
    "inspect": "runner",
    "load_policy": "policy",
    "open_target": "engines.open",
    "validate": "runner",
}


def __getattr__(name: str) -> Any:
    """Import what the API consists of when it is first used (PEP 562): most modules of the package need none of it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
