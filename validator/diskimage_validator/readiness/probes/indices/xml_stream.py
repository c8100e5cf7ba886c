"""XML of other people's, element by element, in little memory.

There is no document type: without one there are no entities, inside or outside, which is all that makes XML dangerous
to read (https://docs.python.org/3/library/xml.html#xml-security). defusedxml refuses the same for the readers of the
standard library, which keep the whole tree; an index of RPM has 200 MB.
"""

from collections.abc import Callable, Mapping
from typing import IO, Final
from xml.parsers import expat

from diskimage_validator.errors import EngineError

MAX_DEPTH: Final = 32
MAX_TEXT: Final = 64 * 1024
"""Characters of text in one element."""
MAX_TOKEN: Final = 1024 * 1024
"""Bytes of one tag or comment, which the parser has to have in memory as a whole."""
_CHUNK: Final = 64 * 1024

Start = Callable[[str, Mapping[str, str]], None]
End = Callable[[str, str], None]


def parse_xml(stream: IO[bytes], start: Start, end: End, limit: int) -> None:
    """Tell ``start`` (name, attributes) and ``end`` (name, text since the last tag) of every element in ``stream``.

    A name is ``NAMESPACE NAME``. Whatever encoding is declared, it is read as UTF-8: Python's codecs are many. Raises
    EngineError for what is no XML, has a document type, or more than ``limit`` bytes; whatever ``stream`` raises; and
    what the two functions raise.
    """
    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
    reader = _Reader(start, end)
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    size = 0
    try:
        while data := stream.read(_CHUNK):
            size += len(data)
            if size > limit:
                raise EngineError(f"more than {limit // 1024 // 1024} MiB of XML")
            parser.Parse(data, False)
            if size - parser.CurrentByteIndex > MAX_TOKEN:
                raise EngineError(f"a tag of more than {MAX_TOKEN // 1024} KiB in XML")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise EngineError(f"no XML: {error}") from error


class _Reader:
    def __init__(self, start: Start, end: End) -> None:
        self._start = start
        self._end = end
        self._depth = 0
        self._text: list[str] = []
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise EngineError(f"XML of more than {MAX_DEPTH} levels")
        self._text, self._length = [], 0
        self._start(name, attributes)

    def end(self, name: str) -> None:
        self._depth -= 1
        self._end(name, "".join(self._text))
        self._text, self._length = [], 0

    def text(self, data: str) -> None:
        self._length += len(data)
        if self._length > MAX_TEXT:
            raise EngineError(f"more than {MAX_TEXT // 1024} KiB of text in an element of XML")
        self._text.append(data)


def _refuse(*_: object) -> None:
    raise EngineError("XML with a document type, which could define entities, is not read")
