"""deb822(5) paragraphs with line numbers, as apt reads ``.sources`` files."""

from diskimage_validator.facts.formats.base import Malformed
from diskimage_validator.frozen import dataclass


@dataclass(frozen=True)
class Field:
    """A field's value, lines joined by line feeds, and the line on which it begins."""

    value: str
    line: int


Paragraph = dict[str, Field]
"""Fields by name in lower case."""


def parse_deb822(text: str) -> list[Paragraph]:
    """Return the paragraphs that are not empty. A field that comes twice counts as it came last, as for apt.

    Raises Malformed for a line that is neither field, continuation nor comment.
    """
    paragraphs: list[dict[str, tuple[list[str], int]]] = [{}]
    last = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if paragraphs[-1]:
                paragraphs.append({})
            last = ""
        elif line[0] in " \t":
            if not last:
                raise Malformed(number, "a continuation of nothing")
            paragraphs[-1][last][0].append(line.strip())
        else:
            name, colon, value = line.partition(":")
            if not colon or not name.strip():
                raise Malformed(number, "no field of the form 'Name: value'")
            last = name.strip().lower()
            paragraphs[-1][last] = ([value.strip()], number)
    return [
        {name: Field("\n".join(values), line) for name, (values, line) in paragraph.items()}
        for paragraph in paragraphs
        if paragraph
    ]
