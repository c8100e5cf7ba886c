"""A YAML file whose values know where they stand, so that all mistakes are told at once, each with its line."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

MAX_SIZE = 1 << 20
TYPES = {"str": "text", "int": "a number", "float": "a number", "bool": "true or false", "map": "a mapping",
         "seq": "a list", "null": "empty", "timestamp": "a date"}  # fmt: skip


class SiteError(Exception):
    """The file cannot be used; ``problems`` holds a line of text for each reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Value:
    """One value of the file; ``path`` is its place as in ``mirrors.apt[0].uri``.

    A value of the wrong type is reported to ``problems``, with its line, and read as if it were absent. So is one left
    empty, without a report: what is commented out below a key leaves such a one.
    """

    def __init__(self, name: str, node: yaml.Node | None, problems: list[tuple[int, str]], path: str = "") -> None:
        self.name, self.node, self.problems, self.path = name, node, problems, path

    @property
    def absent(self) -> bool:
        """Whether nothing is said here."""
        return self.node is None or self._type == "null"

    @property
    def _type(self) -> str:
        if isinstance(self.node, yaml.CollectionNode):
            return "map" if isinstance(self.node, yaml.MappingNode) else "seq"
        kind = str(self.node.tag.rpartition(":")[2]) if self.node else "null"
        return kind if kind not in ("map", "seq") else "tagged as what it is not"

    def fail(self, message: str) -> None:
        """Report a mistake at this place."""
        line = self.node.start_mark.line + 1 if self.node else 0
        problem = (line, f"{self.name}{f':{line}' if line else ''}: {self.path + ': ' if self.path else ''}{message}")
        if problem not in self.problems:
            self.problems.append(problem)

    def child(self, node: yaml.Node | None, step: str) -> "Value":
        """Return a value below this one; ``step`` is a key, or ``[3]``. An absent one is reported where this stands."""
        path = f"{self.path}{'.' if self.path and not step.startswith('[') else ''}{step}"
        return Value(self.name, node, self.problems, path)

    def _is(self, expected: str) -> bool:
        if self.absent:
            return False
        if self._type != expected:
            found = TYPES.get(self._type, "something else")
            hint = "; put it in quotes" if expected == "str" else ""
            self.fail(f"must be {TYPES[expected]}, not {found}{hint}")
            return False
        return True

    def mapping(self, keys: Collection[str], required: Collection[str] = ()) -> dict[str, "Value"]:
        """Return a value for each of ``keys``; report other keys, repeated ones, and required ones that are absent."""
        found: dict[str, Value] = {}
        if self._is("map") and isinstance(self.node, yaml.MappingNode):
            for key, node in self.node.value:
                name = str(key.value)
                if name not in keys:
                    self.child(key, name if re.fullmatch(r"[\w.-]{1,40}", name) else "(a key)").fail(
                        f"unknown; known here: {', '.join(sorted(keys))}"
                    )
                elif name in found:
                    self.child(key, name).fail("given twice")
                else:
                    found[name] = self.child(node, name)
            for name in required:
                if name not in found or found[name].absent:
                    self.fail(f"{name} is missing")
        return {name: found.get(name, self.child(None, name)) for name in keys}

    def items(self) -> list["Value"]:
        """Return the values of a list."""
        if not self._is("seq") or not isinstance(self.node, yaml.SequenceNode):
            return []
        return [self.child(node, f"[{index}]") for index, node in enumerate(self.node.value)]

    def text(self) -> str | None:
        """Return text, or None."""
        return str(self._scalar()) if self._is("str") else None

    def number(self) -> int | None:
        """Return a whole number, or None."""
        value = self._scalar() if self._is("int") else None
        return value if isinstance(value, int) else None

    def flag(self) -> bool:
        """Return true or false; false if absent."""
        return bool(self._scalar()) if self._is("bool") else False

    def _scalar(self) -> Any:
        try:
            constructor = yaml.constructor.SafeConstructor()
            return constructor.construct_object(self.node)
        except (yaml.YAMLError, ValueError):
            self.fail("cannot be read")
            return None


def load(name: str) -> Value:
    """Read a YAML file; an empty name is an empty file. Raises SiteError if it is none, or no YAML."""
    if not name:
        return Value("site file", None, [])
    try:
        content = Path(name).read_bytes()
        if len(content) > MAX_SIZE:
            raise SiteError([f"{name}: larger than {MAX_SIZE} bytes; this is no site file"])
        node = yaml.compose(content.decode(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SiteError([f"{name}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SiteError([f"{name}: is not UTF-8 text"]) from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        reason = getattr(error, "problem", None) or "too deep" if mark else "holds what no YAML file may hold"
        raise SiteError([f"{name}{where}: is no YAML: {reason}"]) from error
    return Value(name, node, [])
