"""Make text that comes from an image harmless for terminals, logs and XML.

A package name or a certificate's subject can hold escape sequences, line breaks or characters that turn the writing
direction. All reports for people and for XML pass their strings through here; JSON escapes by itself.
"""

MAX_LENGTH = 400
"""Characters of one string that a report for people shows."""


def printable(text: str, limit: int | None = None) -> str:
    """Return ``text`` with everything that is not printable written as a backslash escape.

    Covers control and format characters, lone surrogates and code points without a character. Text longer than
    ``limit`` characters is cut and ends in an ellipsis.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def decode(data: bytes) -> str:
    r"""Return ``data`` as text for facts: UTF-8, with every byte that is not UTF-8 as ``\xNN``."""
    return data.decode("utf-8", "backslashreplace")


def clean_path(path: str) -> str:
    r"""Return a path of an engine for facts: bytes that are not UTF-8 become ``\xNN`` instead of surrogates."""
    return decode(path.encode("utf-8", "surrogateescape"))
