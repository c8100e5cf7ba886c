"""cloud-init's configuration of the system: /etc/cloud/cloud.cfg, and /etc/cloud/cloud.cfg.d/*.cfg on top of it.

Later files win, mappings merge, anything else is replaced: "Configuration priority" in cloud-init's documentation.
"""

from collections.abc import Mapping
from typing import Any, Final

from diskimage_validator.engines.base import Engine
from diskimage_validator.facts.base import FactError
from diskimage_validator.facts.reading import Problem, names_in, read_one
from diskimage_validator.policy_lines import DocumentError, parse_document
from diskimage_validator.printable import decode

MAIN: Final = "/etc/cloud/cloud.cfg"
DROP_INS: Final = "/etc/cloud/cloud.cfg.d"
MAX_FILES: Final = 100


def read_cloud_config(engine: Engine) -> dict[str, Any]:
    """Return the merged configuration, empty without any file. Raises FactError if a file cannot be read or parsed."""
    names = [name for name in names_in(engine, DROP_INS) if name.endswith(".cfg")]
    if len(names) > MAX_FILES:
        raise FactError(f"more than {MAX_FILES} files in {DROP_INS}")
    merged: dict[str, Any] = {}
    for path in (MAIN, *(f"{DROP_INS}/{name}" for name in names)):
        data = read_one(engine, path)
        if isinstance(data, Problem):
            raise FactError(data.reason)
        if data is not None:
            merged = _merge(merged, parse_cloud_config(data, path))
    return merged


def parse_cloud_config(data: bytes, path: str) -> dict[str, Any]:
    """Return the mapping in ``data``, empty if it has none. Raises FactError if it is no usable YAML."""
    text = decode(data)
    if all(not line.strip() or line.lstrip().startswith("#") for line in text.split("\n")):
        return {}
    try:
        found = parse_document(text).data
    except DocumentError as error:
        raise FactError(f"{path}: {error.problems[0]}") from error
    return found if isinstance(found, dict) else {}


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: _merge(below[key], above[key])
        for key in below.keys() & above.keys()
        if isinstance(below[key], dict) and isinstance(above[key], dict)
    }
    return {**below, **above, **both}
