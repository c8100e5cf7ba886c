"""YAML with line numbers, for error messages that say where.

The semantics are those of ``yaml.safe_load``, but dates stay text. What it lets pass and a policy must not is refused:
duplicate keys, and aliases that blow up ("billion laughs").
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from diskimage_validator.frozen import dataclass

MAX_NODES: Final = 20_000
"""Nodes of a document after all aliases are expanded."""

_PLAIN: Final = re.compile(r"[\t\n\r -~]*")
"""Text that consists of printable ASCII."""
_HALF: Final = re.compile("[\ud800-\udfff]")

Path = tuple[str | int, ...]
"""Where something is in a document: ``("packages", "required", 2)``."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a policy. ``line`` counts from 1."""

    line: int
    path: Path
    message: str

    def __str__(self) -> str:
        where = format_path(self.path)
        return f"line {self.line}: {where}: {self.message}" if where else f"line {self.line}: {self.message}"


OVERRIDE: Final = "!override"


class _Loader(yaml.SafeLoader):
    """The safe loader, but a date stays the text that it is written as."""

    def check_printable(self, data: str) -> None:
        """Raise ReaderError for a character that YAML does not allow."""
        if not _PLAIN.fullmatch(data):  # the whole expression, with all of Unicode, takes long to compile
            super().check_printable(data)


def _untagged(loader: Any, node: yaml.Node) -> Any:
    """Construct a tagged list or mapping as if it had no tag."""
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    raise yaml.constructor.ConstructorError(None, None, f"{OVERRIDE} is for lists and mappings", node.start_mark)


_Loader.add_constructor(OVERRIDE, _untagged)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class DocumentError(Exception):
    """The text is no usable YAML document. ``problems`` has at least one entry."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Document:
    """A parsed document: its plain data, the line of every node, and the problems that did not prevent parsing it.

    ``overrides`` are the paths of the lists and mappings that bear the tag ``!override``.
    """

    data: Any
    lines: dict[Path, int]
    problems: tuple[Problem, ...]
    overrides: frozenset[Path] = frozenset()

    def line(self, path: Path) -> int:
        """Return the line of ``path``, or that of the nearest parent that has one."""
        while path not in self.lines and path:
            path = path[:-1]
        return self.lines.get(path, 1)


def format_path(path: Path) -> str:
    """Return ``path`` as people write it: ``.packages.required[2]``; the document itself is an empty string."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def parse_document(text: str) -> Document:
    """Parse ``text`` as one YAML document. Raises DocumentError if there is nothing to work with.

    Duplicate keys leave a document whose other errors can be found; they are in ``problems`` of the result.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            raise DocumentError([Problem(1, (), "the document is empty")])
        _limit_size(node)
        lines: dict[Path, int] = {}
        duplicates = tuple(_scan(node, (), lines))
        overrides = frozenset(_overrides(node, ()))
        return Document(loader.construct_document(node), lines, duplicates, overrides)
    except DocumentError:
        raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = ", ".join(part for part in (error.context, error.problem) if part)
        raise DocumentError([Problem(mark.line + 1 if mark else 1, (), f"no valid YAML: {message}")]) from error
    except yaml.YAMLError as error:
        raise DocumentError([Problem(1, (), f"no valid YAML: {error}")]) from error
    except RecursionError as error:
        raise DocumentError([Problem(1, (), "nested too deeply")]) from error
    except Exception as error:  # an explicit tag on the wrong text (!!bool x) fails with whatever type it likes
        raise DocumentError([Problem(1, (), f"a value does not fit its tag: {error}")]) from error


def _limit_size(root: yaml.Node) -> None:
    """Count the nodes as they would be with every alias expanded; the same node object is counted once per use.

    On the way, refuse texts that could not be written anywhere: YAML can spell half of a surrogate pair.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> int:
        key = id(node)
        if isinstance(node, yaml.ScalarNode) and _HALF.search(node.value):
            raise DocumentError([Problem(node.start_mark.line + 1, (), "half of a surrogate pair is no character")])
        if key in open_nodes:
            raise DocumentError([Problem(node.start_mark.line + 1, (), "an alias points into itself")])
        if key not in sizes:
            open_nodes.add(key)
            sizes[key] = 1 + sum(size(child) for child in _children(node))
            open_nodes.remove(key)
        if sizes[key] > MAX_NODES:
            raise DocumentError([Problem(node.start_mark.line + 1, (), f"more than {MAX_NODES} nodes")])
        return sizes[key]

    size(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _scan(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Iterator[Problem]:
    """Note the line of every node in ``lines`` and yield a problem for every duplicate key."""
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _scan(child, (*path, index), lines)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                yield Problem(line, (*path, name), f"duplicate key, first used in line {seen[name]}")
            seen.setdefault(name, line)
            lines[*path, name] = line
            yield from _scan(value, (*path, name), lines)


def _overrides(node: yaml.Node, path: Path) -> Iterator[Path]:
    """Yield the path of every node with the tag ``!override``."""
    if node.tag == OVERRIDE:
        yield path
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            yield from _overrides(child, (*path, index))
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _overrides(value, (*path, str(key.value)))
