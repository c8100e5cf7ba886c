"""policy.json: which images may be used, containers-policy.json(5). The library is strict, and so is this reader.

What is unknown or comes twice makes the library refuse the file, and then no image can be pulled at all.
"""

from collections.abc import Iterator
from typing import Any, Final

from diskimage_validator.facts.containers.files import ConfigFiles
from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.facts.formats.json_text import JsonText, parse_json
from diskimage_validator.frozen import dataclass

PATH: Final = "/etc/containers/policy.json"
MAX_SCOPES: Final = 10_000
_KEYS: Final = ("keyPath", "keyPaths", "keyData")
_FIELDS: Final = {
    "insecureAcceptAnything": {"type"},
    "reject": {"type"},
    "signedBy": {"type", "keyType", "signedIdentity", *_KEYS},
    "signedBaseLayer": {"type", "baseLayerIdentity"},
    "sigstoreSigned": {
        "type", "signedIdentity", *_KEYS, "keyDatas", "fulcio", "pki",
        "rekorPublicKeyPath", "rekorPublicKeyPaths", "rekorPublicKeyData", "rekorPublicKeyDatas",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """Requirements for a scope of a transport; both are empty for the default. ``keys`` are paths of public keys."""

    transport: str
    scope: str
    types: tuple[str, ...]
    keys: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return f"{self.transport}:{self.scope}" if self.transport else "default"


@dataclass(frozen=True)
class Signatures:
    """A policy.json that the library takes. ``missing_keys`` are public keys that it names and that are not there."""

    path: str
    default: Scope
    scopes: tuple[Scope, ...]
    missing_keys: tuple[str, ...]

    def find(self, transport: str, scope: str) -> Scope | None:
        """Return the entry for exactly this scope."""
        return next((entry for entry in self.scopes if (entry.transport, entry.scope) == (transport, scope)), None)


def read_signatures(files: ConfigFiles) -> Signatures | None:
    """Return what policy.json says; None if it is not there or faulty, which is in ``files`` then."""
    document = files.read("containers", PATH, parse_json)
    if document is None:
        return None
    try:
        default, *scopes = _scopes(document)
    except Malformed as error:
        files.fault(PATH, error.line, error.reason)
        return None
    keys = sorted({key for scope in (default, *scopes) for key in scope.keys})
    missing = tuple(key for key in keys if files.first(key) is None)
    return Signatures(PATH, default, tuple(scopes), missing)


def _scopes(document: JsonText) -> Iterator[Scope]:
    """Yield the default, then every scope."""
    data = document.data
    if document.duplicates:
        key = document.duplicates[0]
        raise Malformed(document.line(key), f"the key {key!r} comes twice")
    if not isinstance(data, dict) or "default" not in data:
        raise Malformed(1, "no object with a default")
    for key in data:
        if key not in ("default", "transports"):
            raise Malformed(document.line(key), f"an unknown key {key!r}")
    yield _scope(document, "", "", data["default"], document.line("default"))
    transports = _object(data.get("transports", {}), "transports", document)
    count = 0
    for transport, scopes in transports.items():
        for scope, requirements in _object(scopes, transport, document).items():
            count += 1
            if count > MAX_SCOPES:
                raise Malformed(0, f"more than {MAX_SCOPES} scopes")
            line = document.line("transports", transport, scope)
            yield _scope(document, transport, scope, requirements, line)


def _object(value: Any, name: str, document: JsonText) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(document.line(name), f"{name!r} has to be an object")
    return value


def _scope(document: JsonText, transport: str, scope: str, requirements: Any, line: int) -> Scope:
    if not isinstance(requirements, list) or not requirements:
        raise Malformed(line, f"{scope or transport or 'default'!r} has to be a list of requirements, not empty")
    types, keys = [], []
    for requirement in requirements:
        kind = requirement.get("type") if isinstance(requirement, dict) else None
        if not isinstance(kind, str) or kind not in _FIELDS:
            raise Malformed(line, f"an unknown type of requirement: {str(kind)[:40]!r}")
        unknown = sorted(set(requirement) - _FIELDS[kind])
        if unknown:
            raise Malformed(document.line(unknown[0]), f"{kind} has no {unknown[0]!r}")
        if kind == "signedBy" and sum(key in requirement for key in _KEYS) != 1:
            raise Malformed(line, f"signedBy needs exactly one of {', '.join(_KEYS)}")
        if kind == "signedBy" and "keyType" not in requirement:
            raise Malformed(line, "signedBy needs keyType")
        types.append(kind)
        paths = requirement.get("keyPaths", [])
        paths = [requirement.get("keyPath"), *(paths if isinstance(paths, list) else [])]
        keys += [path for path in paths if isinstance(path, str)]
    return Scope(transport, scope, tuple(types), tuple(keys), line)
